-- Takes available units out of the stock, once per change, see `take_out`.
-- The withdrawal stays listed as unrecorded until the ledger has it.
--
-- ARGV[2] change id   ARGV[3] SKU   ARGV[4] quantity
-- ARGV[5] the ledger's epoch of the sale before it had no such change
-- Answers {word, now, …}: WITHDRAWN with the number withdrawn and the stock, also on a repeat;
-- KEY_REUSED; SKU_NOT_FOUND; SALE_NOT_FOUND; UNSEEDED, the sale was built again since that epoch, perhaps without the units.
-- Cost: O(quantity).
local missing = load_sale()
if missing then return missing end
touch_clock()
local quantity = tonumber(ARGV[4])
local sku = load_sku(ARGV[3])
if not sku then return {'SKU_NOT_FOUND', now} end
local known = redis.call('HGET', changes_key, ARGV[2])
if known then
  local kind, name, wanted, done = unpack(cmsgpack.unpack(known))
  if kind ~= 'withdraw' or name ~= ARGV[3] or wanted ~= quantity then return {'KEY_REUSED', now} end
  return {'WITHDRAWN', now, done, sku.stock}
end

if sale.epoch > tonumber(ARGV[5]) then return {'UNSEEDED', now} end
local withdrawn = take_out(sku, quantity)
redis.call('HSET', changes_key, ARGV[2], cmsgpack.pack({'withdraw', ARGV[3], quantity, withdrawn}))
if withdrawn > 0 then redis.call('HSET', unrecorded_key, ARGV[2], ARGV[3] .. ' ' .. withdrawn) end
local fault = store_sku(sku)
return fault or {'WITHDRAWN', now, withdrawn, sku.stock}
