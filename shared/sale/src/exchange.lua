-- Another unit for one that the ledger has given to somebody else (Redis had forgotten it). That order is put on record
-- here, so that its cancel gives the unit back; the lost unit is marked as sold, so that it is never available again, and
-- counted as sold when it leaves this reservation. Repeating it gives the units that the reservation has now.
--
-- ARGV[2] reservation id   ARGV[3…] the orders that have its units, see `read_orders`
-- Answers {word, now, …}: EXCHANGED with the reservation, see `tell`; NO_UNIT, 1 while one may still
-- return, else 0; ENDED, the reservation is not confirming any more; RESERVATION_NOT_FOUND;
-- SALE_NOT_FOUND.
-- Cost: O(units of the orders × log holds).
local missing = load_sale()
if missing then return missing end
touch_clock()
local r = load_reservation(ARGV[2])
if not r then return {'RESERVATION_NOT_FOUND', now} end
if r.state ~= 'c' then return {'ENDED', now} end

-- An order that was cancelled since the ledger was read has no units any more.
local sku, lost = load_sku(r.sku), {}
for _, order in ipairs(read_orders(sku, 3)) do
  if recognise(sku, order) ~= 'cancelled' then
    for _, unit in ipairs(order.units) do lost[unit] = true end
  end
end
local kept, gone = {}, {}
for _, unit in ipairs(r.units) do
  local list = lost[unit] and gone or kept
  list[#list + 1] = unit
end
for _, unit in ipairs(gone) do mark_sold(r.sku, unit, false) end

while available(sku) < #gone do
  if free_overdue(sku, #gone) == 0 then break end
end
local units = available(sku) >= #gone and take(sku, #gone)
if not units then
  local fault = store_sku(sku)
  if fault then return fault end
  return {'NO_UNIT', now, (sku.held > #r.units or sku.quarantined > 0) and 1 or 0}
end
for _, unit in ipairs(gone) do mark_sold(r.sku, unit, true) end
move(sku, 'lost', 'held', 'sold', r.id, gone)
move(sku, 'held', 'available', 'held', r.id, units)
for _, unit in ipairs(units) do kept[#kept + 1] = unit end
r.units = kept
store_reservation(r)
local fault = store_sku(sku)
if fault then return fault end
return tell({'EXCHANGED', now}, r)
