-- Adds units to a SKU, once per change: first those that were withdrawn, then new serials.
--
-- ARGV[2] change id   ARGV[3] SKU   ARGV[4] quantity
-- ARGV[5] the ledger's epoch of the sale when it listed the change as pending; empty: it was applied before, although Redis
-- may have forgotten it, and the stock is only told
-- Answers {word, now, …}: RESTOCKED with the stock, also on a repeat; KEY_REUSED; SKU_NOT_FOUND; SALE_NOT_FOUND; UNSEEDED,
-- the sale was built again since that epoch, perhaps of figures that have the units.
-- Cost: O(units that were withdrawn before).
local missing = load_sale(true)
if missing then return missing end
touch_clock()
local quantity = tonumber(ARGV[4])
local sku = load_sku(ARGV[3])
if not sku then return {'SKU_NOT_FOUND', now} end
local change = cmsgpack.pack({'restock', ARGV[3], quantity, quantity})
local known = redis.call('HGET', changes_key, ARGV[2])
if known then
  if known ~= change then return {'KEY_REUSED', now} end
  return {'RESTOCKED', now, sku.stock}
end

if ARGV[5] == '' then return {'RESTOCKED', now, sku.stock} end
if sale.epoch > tonumber(ARGV[5]) then return {'UNSEEDED', now} end

local restored = 0
while restored < quantity do
  if not redis.call('LMOVE', sku.withdrawn_key, sku.returned_key, 'LEFT', 'RIGHT') then break end
  restored = restored + 1
end
sku.top = sku.top + quantity - restored
move(sku, 'restocked', 'outside', 'available', '', quantity)
sku.withdrawn = math.max(sku.withdrawn - quantity, 0)
redis.call('HSET', changes_key, ARGV[2], change)
local fault = store_sku(sku)
return fault or {'RESTOCKED', now, sku.stock}
