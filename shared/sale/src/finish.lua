-- Does in Redis what the ledger says of a reservation. The ledger is obeyed in whatever order its
-- words arrive: an order that was cancelled is never ordered again.
--
-- ARGV[2] reservation id
-- ARGV[3] verdict: ordered, cancelled, or abandoned (no order, and there never will be one)
-- Where there is an order: ARGV[4] its SKU   ARGV[5] a number of serials, then they: those of a cancelled order that no
-- other has; then the order, see `read_orders`
-- Answers {word, now}: FINISHED, also on a repeat; FORGOTTEN, Redis had lost the hold of an order, which is on record
-- again: its serials are marked as sold and are counted when they turn up; SALE_NOT_FOUND.
-- Cost: O(units × log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local id, verdict = ARGV[2], ARGV[3]
local r, last_free = load_reservation(id), 5 + tonumber(ARGV[5] or 0)
local is_live = r and (r.state == 'h' or r.state == 'c')
local sku = ARGV[4] and load_sku(ARGV[4]) or r and load_sku(r.sku)
if not sku then
  redis.call('ZREM', unsettled_key, id)
  return {'FINISHED', now}
end
local order = read_orders(sku, last_free + 1)[1]

-- Units of a cancelled order are available again. One that is not counted as sold is still where it was. One that another
-- order has, because a failover lost the cancel and what came after it, stays sold, and counts for that order.
local function free()
  local sold = {}
  for i = 6, last_free do
    local unit = tonumber(ARGV[i])
    if redis.call('GETBIT', sku.sold_key, unit) == 1 then
      redis.call('SETBIT', sku.sold_key, unit, 0)
      if redis.call('GETBIT', unfound_key(sku.name), unit) == 1 then
        redis.call('SETBIT', unfound_key(sku.name), unit, 0)
      else
        sold[#sold + 1] = unit
      end
    end
  end
  give_back(sku, 'cancelled', 'sold', id, sold)
end

-- The note of a cancel under way outlives a late word that the order stands.
local noted_until = tonumber(redis.call('ZSCORE', unsettled_key, id) or 0)
if verdict ~= 'ordered' or noted_until <= now then redis.call('ZREM', unsettled_key, id) end
local was
if verdict == 'ordered' then
  was = recognise(sku, order)
elseif verdict == 'cancelled' and is_live then
  free()
  end_hold(sku, r, 'k')
elseif verdict == 'cancelled' and r and r.state == 'o' then
  free()
  r.state = 'k'
  store_reservation(r)
  discount(r)
elseif verdict == 'cancelled' and not (r and r.state == 'k') then
  -- Nothing is sold here for an order that is not on record; a repeat of its wish is told what became of it.
  order.state = 'k'
  store_reservation(order)
elseif verdict == 'abandoned' and is_live then
  end_hold(sku, r, 'x')
end
local fault = store_sku(sku)
if fault then return fault end
if was == 'lost' then return {'FORGOTTEN', now} end
return {'FINISHED', now}
