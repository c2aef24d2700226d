-- Gives the units of a shopper's own hold back. Repeating it gives the same answer.
--
-- ARGV[2] reservation id   ARGV[3] shopper
-- Answers {word, now, …}: RELEASED and the reservation, see `tell`; EXPIRED; CONFIRMING; ORDERED;
-- CANCELLED; RESERVATION_NOT_FOUND; SALE_NOT_FOUND.
-- Cost: O(log holds).
local missing = load_sale()
if missing then return missing end
touch_clock()
local r = load_reservation(ARGV[2])
if not r or r.shopper ~= ARGV[3] then return {'RESERVATION_NOT_FOUND', now} end
if r.state == 'c' then return {'CONFIRMING', now} end
if r.state == 'o' then return {'ORDERED', now} end
if r.state == 'k' then return {'CANCELLED', now} end
if r.state == 'x' or (r.state == 'h' and now >= r.expires_at) then return {'EXPIRED', now} end
if r.state == 'h' then
  local sku = load_sku(r.sku)
  end_hold(sku, r, 'r')
  local fault = store_sku(sku)
  if fault then return fault end
end
return tell({'RELEASED', now}, r)
