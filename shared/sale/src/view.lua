-- What anyone may see of a sale, and what the merchant's report says. Changes nothing.
--
-- Answers {word, now, …}: SALE_NOT_FOUND, or
--   VIEW  state, version, epoch, opens_at in ms or empty, closes_at in ms or empty, definition or empty,
--         reservations unsettled, then per SKU: name, stock, available, held, sold, quarantined,
--         withdrawn, 1 while conserved else 0
-- A hold whose time is over counts as available as soon as the next reserve would take it: one unit
-- each, which is exact for quantity 1 and else too low until the sweep has freed it.
-- Cost: O(SKUs × log holds).
local missing = load_sale()
if missing then return missing end

local answer = {'VIEW', now, sale_state(), sale.version, sale.epoch, sale.opens_at or '', sale.closes_at or '',
  redis.call('HGET', sale_key, 'definition') or '', redis.call('ZCARD', unsettled_key)}
for name in sale.skus:gmatch('[^,]+') do
  local sku = load_sku(name)
  local overdue = redis.call('ZCOUNT', sku.holds_key, '-inf', now - skew_ms)
  for _, field in ipairs({name, sku.stock, available(sku) + overdue, sku.held - overdue, sku.sold,
    sku.quarantined, sku.withdrawn, broken(sku) and 0 or 1}) do
    answer[#answer + 1] = field
  end
end
return answer
