-- Holds what the ledger says of some serials of a SKU against Redis, after a failover that may have lost something:
-- orders that Redis does not know as such become orders here, too. Parts follow one another; the first one
-- begins anew.
--
-- ARGV[2] lineage in which the ledger was read   ARGV[3] SKU   ARGV[4] first serial   ARGV[5] last serial
-- ARGV[6] 1: no serial comes after them
-- ARGV[7…] the orders that have them, see `read_orders`
-- Answers {word, now, …}: COMPARED, and how many orders Redis had lost; STALE, this part is not the next one;
-- SALE_NOT_FOUND.
-- Cost: O(units of the orders × log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local first, last = tonumber(ARGV[4]), tonumber(ARGV[5])
local sku = load_sku(ARGV[3])
local compared = sku and redis.call('HGET', sku.key, 'compared')
if not sku or sale.phase or ARGV[2] ~= lineage or (first > 1 and compared ~= lineage .. ':' .. first) then
  return {'STALE', now}
end

local repaired = 0
for _, ordered in ipairs(read_orders(sku, 7)) do
  local was = recognise(sku, ordered)
  if was == 'live' or was == 'lost' then repaired = repaired + 1 end
end
redis.call('HSET', sku.key, 'compared', lineage .. ':' .. (ARGV[6] == '1' and 'all' or last + 1))
local fault = store_sku(sku)
return fault or {'COMPARED', now, repaired}
