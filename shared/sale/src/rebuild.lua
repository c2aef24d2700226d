-- One part of a takeover: what the ledger says of some serials of a SKU. It is read twice. While building, what
-- is not sold is kept back; after the quarantine, when no receipt and no confirm can change it any more, what
-- is still kept back becomes available. Whoever sends a part that was sent before changes nothing.
--
-- ARGV[2] epoch   ARGV[3] end of the quarantine in ms, 0 while building
-- ARGV[4] length of the quarantine in ms   ARGV[5] SKU   ARGV[6] first serial   ARGV[7] last serial
-- ARGV[8…] the orders that have them, see `read_orders`
-- Answers {word, now}: READ; STALE, this part is read already, or its time has not come, or the sale's terms are not there
-- yet, which records name; SALE_NOT_FOUND.
-- Cost: O(serials + orders × log).
local missing = load_sale(true)
if missing then return missing end
touch_clock()
local epoch, quarantine_until = tonumber(ARGV[2]), tonumber(ARGV[3])
local first, last = tonumber(ARGV[6]), tonumber(ARGV[7])
local is_building = sale.phase == 'building'
if not sale.phase or sale.version == 0 or sale.epoch ~= epoch or (sale.quarantine_until or 0) ~= quarantine_until
  or (not is_building and now < quarantine_until) then
  return {'STALE', now}
end
local sku = load_sku(ARGV[5])
if not sku or tonumber(redis.call('HGET', sku.key, 'read')) ~= first then return {'STALE', now} end
local kept_back = quarantine_key(sku.name)

-- An order that Redis does not have is put on record, so that its shopper and the merchant find it. One that is cancelled
-- here was cancelled after the ledger was read; so may be one whose cancel nobody could note, which the sweep asks about.
for _, r in ipairs(read_orders(sku, 8)) do
  local known = load_reservation(r.id)
  if not known or known.state ~= 'k' then
    local sold = {}
    for _, unit in ipairs(r.units) do
      local was_kept_back = redis.call('SETBIT', kept_back, unit, 0) == 1
      local is_counted = was_kept_back or (is_building and not known)
      mark_sold(sku.name, unit, is_counted)
      if is_counted then sold[#sold + 1] = unit end
    end
    -- More were sold than the ledger has in the stock: a withdrawal was lost until its units were sold. Orders stand.
    while #sold > sku.quarantined do
      move(sku, 'found_sold', 'outside', 'sold', r.id, {table.remove(sold)})
      sku.withdrawn = math.max(sku.withdrawn - 1, 0)
    end
    move(sku, 'sold', 'quarantined', 'sold', r.id, sold)
  end
  if not known then
    store_reservation(r)
    count(r)
    if not is_building then redis.call('ZADD', unsettled_key, 'GT', now, r.id) end
  end
end

-- Serials beyond the stock were withdrawn; which ones they were does not matter.
local recovered = 0
for serial = first, last do
  if is_building then
    if redis.call('GETBIT', sku.sold_key, serial) == 0 then redis.call('SETBIT', kept_back, serial, 1) end
  elseif redis.call('SETBIT', kept_back, serial, 0) == 1 and sku.quarantined > recovered then
    redis.call('RPUSH', sku.returned_key, serial)
    recovered = recovered + 1
  end
end
move(sku, 'recovered', 'quarantined', 'available', '', recovered)
redis.call('HSET', sku.key, 'read', last + 1)
local fault = store_sku(sku)
if fault then return fault end

for name in sale.skus:gmatch('[^,]+') do
  local read = redis.call('HMGET', sku_key(name), 'read', 'read_top')
  if tonumber(read[1] or 1) <= tonumber(read[2] or 0) then return {'READ', now} end
end
for name in sale.skus:gmatch('[^,]+') do
  if is_building then
    redis.call('HSET', sku_key(name), 'read', 1)
  else
    redis.call('HDEL', sku_key(name), 'read', 'read_top')
    redis.call('DEL', quarantine_key(name))
  end
end
if is_building then
  redis.call('HSET', sale_key, 'phase', 'quarantine', 'quarantine_until', now + tonumber(ARGV[4]))
else
  redis.call('HDEL', sale_key, 'phase', 'quarantine_until')
end
return {'READ', now}
