-- Reservations that the sweep may settle now: their confirm or cancel can no longer be under way.
-- Changes nothing.
--
-- ARGV[2] how many at most
-- Answers {word, now, …}: SALE_NOT_FOUND, or DUE and the reservation ids, longest due first.
-- Cost: O(log unsettled + answered).
local missing = load_sale()
if missing then return missing end
local ids = redis.call('ZRANGEBYSCORE', sale_key .. ':unsettled', '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
return {'DUE', now, unpack(ids)}
