-- Brings a newer version of the merchant's definition into force. The stock of a SKU that exists is
-- never touched here: only restock and withdraw change it, so that changes commute.
--
-- ARGV[2] version    ARGV[3] opens_at in ms, or empty   ARGV[4] closes_at in ms
-- ARGV[5] paused 1/0 ARGV[6] closed 1/0                 ARGV[7] hold in ms
-- ARGV[8] units per shopper   ARGV[9] kinds of shoppers, comma-separated   ARGV[10] currency
-- ARGV[11] definition as JSON, for the page
-- ARGV[12] places of the waiting room a minute, or empty where there is none   ARGV[13] length of a turn in ms
-- ARGV[14] when the lobby opens, in ms, or empty   ARGV[15] serving paused 1/0   ARGV[16] door closed 1/0
-- ARGV[17] the place up to which to serve at once   ARGV[18] seed of the draw    ARGV[19] its hash
-- ARGV[20] shoppers whom the merchant lets pass the line, 16 bytes each
-- ARGV[21…] SKU, price in minor units, stock where the SKU is new, one triple each
-- Answers {word, now}: CHANGED, CURRENT (this version or a newer one is in force), SALE_NOT_FOUND.
-- Cost: O(SKUs + shoppers who may pass).
local missing = load_sale(true)
if missing then return missing end
touch_clock()
if sale.version >= tonumber(ARGV[2]) then return {'CURRENT', now} end

-- What was served until now was served by the rules until now.
if load_room() then
  advance()
  is_changed = true
  store_queue()
end

local names = {}
for i = 21, #ARGV, 3 do
  names[#names + 1] = ARGV[i]
  local key = sku_key(ARGV[i])
  if redis.call('EXISTS', key) == 0 then
    local fault = add_sku(ARGV[i], ARGV[i + 2])
    if fault then return fault end
  end
  redis.call('HSET', key, 'price', ARGV[i + 1])
end
redis.call('HSET', sale_key, 'version', ARGV[2], 'closes_at', ARGV[4], 'paused', ARGV[5], 'closed', ARGV[6],
  'hold_ms', ARGV[7], 'limit', ARGV[8], 'shoppers', ARGV[9], 'currency', ARGV[10], 'definition', ARGV[11],
  'skus', table.concat(names, ','))
if ARGV[3] == '' then
  redis.call('HDEL', sale_key, 'opens_at')
else
  redis.call('HSET', sale_key, 'opens_at', ARGV[3])
end
if ARGV[12] == '' then
  redis.call('HDEL', sale_key, 'rate')
else
  redis.call('HSET', sale_key, 'rate', ARGV[12], 'turn_ms', ARGV[13], 'lobby_at', ARGV[14], 'serving_paused', ARGV[15],
    'door_closed', ARGV[16], 'serve_to', ARGV[17], 'seed', ARGV[18], 'seed_hash', ARGV[19])
end
redis.call('DEL', bypass_key)
for at = 1, #ARGV[20], 16 do redis.call('SADD', bypass_key, ARGV[20]:sub(at, at + 15)) end
return {'CHANGED', now}
