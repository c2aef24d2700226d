-- Reservations whose confirm or cancel can no longer be under way. A confirm that can still be repeated,
-- because its hold has not expired, is named now and then until that is over, so that an order that stands
-- is finished soon, whatever became of this answer. Those that could not be settled make way for the others.
--
-- ARGV[2] how many at most
-- ARGV[3] after how many ms those are named again that are not over, or could not be settled
-- ARGV[4…] ids of the latter
-- Answers {word, now, …}: SALE_NOT_FOUND, or DUE and per reservation, longest due first: id, and what may be done:
-- settle; finish, where it must not be abandoned; or nothing, where its record cannot be read.
-- Cost: O((answered + not settled) × log unsettled).
local missing = load_sale()
if missing then return missing end
local again_at = now + tonumber(ARGV[3])
for i = 4, #ARGV do redis.call('ZADD', unsettled_key, 'XX', 'GT', again_at, ARGV[i]) end
local answer = {'DUE', now}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', unsettled_key, '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))) do
  local is_readable, r = pcall(load_reservation, id)
  local action = is_readable and 'settle' or 'nothing'
  if is_readable and r and r.state == 'c' and now < r.expires_at then
    redis.call('ZADD', unsettled_key, math.min(again_at, r.expires_at), id)
    action = 'finish'
  end
  answer[#answer + 1] = id
  answer[#answer + 1] = action
end
return answer
