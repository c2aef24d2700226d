-- Withdrawals that the ledger may not have yet; first forgets those that it is said to have. It writes, so that what it tells
-- is known to a replica: the ledger is lowered by it.
--
-- ARGV[2…] change ids that the ledger has recorded
-- Answers {word, now, …}: SALE_NOT_FOUND, or WITHDRAWALS and per withdrawal: change id, SKU, units, units asked for.
-- Cost: O(unrecorded withdrawals).
local missing = load_sale()
if missing then return missing end
touch_clock()
for i = 2, #ARGV do redis.call('HDEL', unrecorded_key, ARGV[i]) end
local answer = {'WITHDRAWALS', now}
local unrecorded = redis.call('HGETALL', unrecorded_key)
for i = 1, #unrecorded, 2 do
  local _, name, wanted, done = unpack(cmsgpack.unpack(redis.call('HGET', changes_key, unrecorded[i])))
  for _, field in ipairs({unrecorded[i], name, done, wanted}) do answer[#answer + 1] = field end
end
return answer
