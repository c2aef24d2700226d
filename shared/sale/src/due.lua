-- Reservations whose confirm or cancel can no longer be under way. A confirm that can still be repeated,
-- because its hold has not expired, is named once now, so that an order that stands is finished soon,
-- and again when the hold has expired.
--
-- ARGV[2] how many at most
-- Answers {word, now, …}: SALE_NOT_FOUND, or DUE and per reservation, longest due first: id, and 1 where
-- it may be abandoned, else 0.
-- Cost: O(answered × log unsettled).
local missing = load_sale()
if missing then return missing end
local answer = {'DUE', now}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', unsettled_key, '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))) do
  local r = load_reservation(id)
  local is_repeatable = r and r.state == 'c' and now < r.expires_at
  if is_repeatable then redis.call('ZADD', unsettled_key, r.expires_at, id) end
  answer[#answer + 1] = id
  answer[#answer + 1] = is_repeatable and 0 or 1
end
return answer
