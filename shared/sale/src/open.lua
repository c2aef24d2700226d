-- Puts a sale's stock into Redis, not yet in force: until `change` brings a version, nothing is sold.
--
-- ARGV[2] epoch   ARGV[3…] SKU, stock, one pair each
-- Answers {word, now}: OPENED, ALREADY_OPEN (nothing is changed).
-- Cost: O(SKUs).
local missing = load_sale()
if not missing then
  touch_clock()
  return {'ALREADY_OPEN', now}
end

sale = {epoch = ARGV[2]}
local names = {}
for i = 3, #ARGV, 2 do
  names[#names + 1] = ARGV[i]
  local fault = add_sku(ARGV[i], ARGV[i + 1])
  if fault then return fault end
  redis.call('HSET', sku_key(ARGV[i]), 'compared', lineage .. ':all')
end
redis.call('HSET', sale_key, 'version', 0, 'epoch', ARGV[2], 'clock', now, 'lineage', lineage,
  'skus', table.concat(names, ','), 'cancels_compared', lineage .. ':all')
redis.call('SET', SEED_KEY, 1)
return {'OPENED', now}
