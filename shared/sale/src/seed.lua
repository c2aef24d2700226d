-- Begins a takeover: the sale as the ledger has it, every unit kept back, none of them read yet. Until the
-- ledger is read, nobody is served. What Redis had of it in a history that broke is forgotten before.
--
-- ARGV[2] epoch   ARGV[3] 1: every sale is in Redis with this one, so that an unknown one does not exist
-- ARGV[4] the last record of the waiting room that the ledger has, or empty
-- ARGV[5] number of SKUs, then SKU, stock, highest serial, one triple each
-- then the restocks in these figures that the ledger lists as pending: change id, SKU, quantity
-- Answers {word, now}: SEEDED; PRESENT, somebody was first; FENCED, it is not forgotten yet.
-- Cost: O(SKUs + pending restocks).
local missing = load_sale(true)
if missing and missing[1] == 'FENCED' then
  if redis.call('HGET', sale_key, 'forgotten') ~= lineage .. ':all' then return missing end
  redis.call('DEL', sale_key)
end
if ARGV[3] == '1' then redis.call('SET', SEED_KEY, 1) end
if not missing then
  touch_clock()
  return {'PRESENT', now}
end

sale = {epoch = ARGV[2]}
local names, last = {}, 5 + 3 * tonumber(ARGV[5])
for i = 6, last, 3 do
  local stock, top = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  names[#names + 1] = ARGV[i]
  redis.call('HSET', sku_key(ARGV[i]), 'stock', 0, 'top', top, 'next', top + 1, 'held', 0, 'sold', 0,
    'quarantined', 0, 'withdrawn', top - stock, 'price', 0, 'changes', 0, 'read', 1, 'read_top', top)
  local sku = load_sku(ARGV[i])
  move(sku, 'quarantined', 'outside', 'quarantined', '', stock)
  local fault = store_sku(sku)
  if fault then return fault end
end
for i = last + 1, #ARGV, 3 do
  local quantity = tonumber(ARGV[i + 2])
  redis.call('HSET', changes_key, ARGV[i], cmsgpack.pack({'restock', ARGV[i + 1], quantity, quantity}))
end
redis.call('HSET', sale_key, 'version', 0, 'epoch', ARGV[2], 'clock', now, 'lineage', lineage,
  'phase', 'building', 'skus', table.concat(names, ','))
if ARGV[4] ~= '' then redis.call('SET', queue_key, restored(ARGV[4], tonumber(ARGV[2]))) end
return {'SEEDED', now}
