-- How far a takeover is, and without one how far Redis was held against the ledger. Changes nothing.
--
-- Answers {word, now, …}: NONE, lineage of the dataset, `cancels_compared` or empty, and per SKU: name, `compared` or empty; UNDER_WAY with
-- lineage and `cancels_compared` likewise, the epoch, the end of the quarantine in ms (0 while building), and per SKU: name, first serial that is not read yet, last one
-- to read; SALE_NOT_FOUND.
-- Cost: O(SKUs).
local missing = load_sale(true)
if missing then return missing end
local cancels = redis.call('HGET', sale_key, 'cancels_compared') or ''
if not sale.phase then
  local answer = {'NONE', now, lineage, cancels}
  for name in sale.skus:gmatch('[^,]+') do
    answer[#answer + 1] = name
    answer[#answer + 1] = redis.call('HGET', sku_key(name), 'compared') or ''
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
