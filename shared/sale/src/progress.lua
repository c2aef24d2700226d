-- How far a takeover is, and without one how far Redis was held against the ledger. Changes nothing.
--
-- Answers {word, now, …}: NONE, lineage of the dataset, `cancels_compared` or empty, and per SKU: name, `compared` or empty,
-- stock, units of withdrawals that the ledger may not have yet; UNDER_WAY with lineage and `cancels_compared` likewise, the
-- epoch, the end of the quarantine in ms (0 while building), and per SKU: name, first serial that is not read yet, last one
-- to read; SALE_NOT_FOUND.
-- Cost: O(SKUs + unrecorded withdrawals).
local missing = load_sale(true)
if missing then return missing end
local cancels = redis.call('HGET', sale_key, 'cancels_compared') or ''
if not sale.phase then
  local answer = {'NONE', now, lineage, cancels}
  local unrecorded, withdrawals = {}, redis.call('HGETALL', unrecorded_key)
  for i = 2, #withdrawals, 2 do
    local name, units = withdrawals[i]:match('^(.+) (%d+)$')
    unrecorded[name] = (unrecorded[name] or 0) + tonumber(units)
  end
  for name in sale.skus:gmatch('[^,]+') do
    local kept = redis.call('HMGET', sku_key(name), 'compared', 'stock')
    for _, field in ipairs({name, kept[1] or '', tonumber(kept[2] or 0), unrecorded[name] or 0}) do
      answer[#answer + 1] = field
    end
  end
  return answer
end
local answer = {'UNDER_WAY', now, lineage, cancels, sale.epoch, sale.quarantine_until or 0}
for name in sale.skus:gmatch('[^,]+') do
  local read = redis.call('HMGET', sku_key(name), 'read', 'read_top')
  for _, field in ipairs({name, tonumber(read[1] or 1), tonumber(read[2] or 0)}) do
    answer[#answer + 1] = field
  end
end
return answer
