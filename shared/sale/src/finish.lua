-- Does in Redis what the ledger says of a reservation. The ledger is obeyed in whatever order its
-- words arrive: an order that was cancelled is never ordered again.
--
-- ARGV[2] reservation id
-- ARGV[3] verdict: ordered, cancelled, or abandoned (no order, and there never will be one)
-- ARGV[4] SKU   ARGV[5…] where it is ordered: the order, see `read_orders`; where it is cancelled: those serials of the
-- order that no other has
-- Answers {word, now}: FINISHED, also on a repeat; FORGOTTEN, Redis had lost the hold of an order, which is on record
-- again: its serials are marked as sold and are counted when they turn up; SALE_NOT_FOUND.
-- Cost: O(units × log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local id, verdict = ARGV[2], ARGV[3]
local r = load_reservation(id)
local sku = r and load_sku(r.sku)
local is_live = r and (r.state == 'h' or r.state == 'c')
-- The note of a cancel under way outlives a late word that the order stands.
local noted_until = tonumber(redis.call('ZSCORE', unsettled_key, id) or 0)
if is_live or verdict ~= 'ordered' or noted_until <= now then redis.call('ZREM', unsettled_key, id) end

-- Units of a cancelled order are available again. One that is not counted as sold is still where it was. One that another
-- order has, because a failover lost the cancel and what came after it, stays sold, and counts for that order.
local function free()
  local sold = {}
  for i = 5, #ARGV do
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

local order = verdict == 'ordered' and read_orders({name = ARGV[4]}, 5)[1]
if order and not (r and (is_live or r.state == 'o' or r.state == 'k')) then
  local its_sku, sold = is_in_quarantine() and load_sku(order.sku), {}
  for _, unit in ipairs(its_sku and order.units or {}) do
    if redis.call('SETBIT', quarantine_key(order.sku), unit, 0) == 1 then
      mark_sold(order.sku, unit, true)
      sold[#sold + 1] = unit
    end
  end
  adopt(order)
  if its_sku then move(its_sku, 'sold', 'quarantined', 'sold', id, sold) end
  local fault = its_sku and store_sku(its_sku)
  return fault or {'FORGOTTEN', now}
end
if order and is_live then
  become_order(sku, r, order.units)
elseif verdict == 'cancelled' and is_live then
  free()
  end_hold(sku, r, 'k')
elseif verdict == 'cancelled' and r and r.state == 'o' then
  free()
  r.state = 'k'
  store_reservation(r)
  discount(r)
elseif verdict == 'abandoned' and is_live then
  end_hold(sku, r, 'x')
end
local fault = sku and store_sku(sku)
return fault or {'FINISHED', now}
