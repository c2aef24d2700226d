-- A shopper's own reservation. Changes nothing.
--
-- ARGV[2] reservation id   ARGV[3] shopper
-- Answers {word, now, …}: FOUND and the reservation, see `tell`; RESERVATION_NOT_FOUND, also for
-- another shopper's; SALE_NOT_FOUND.
-- Cost: O(1).
local missing = load_sale()
if missing then return missing end
local r = load_reservation(ARGV[2])
if not r or r.shopper ~= ARGV[3] then return {'RESERVATION_NOT_FOUND', now} end
return tell({'FOUND', now}, r)
