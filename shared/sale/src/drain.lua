-- The next part of the journal, to be kept in the ledger; first forgets the part that the ledger has. The last
-- entry that is kept stays in the stream: where it is not there, a failover has lost it, and what is there begins
-- the next part.
--
-- ARGV[2] number of the last part that the ledger has, or empty: what Redis knows of it
-- ARGV[3] id of its last entry, or empty where the ledger has none   ARGV[4] entries at most   ARGV[5] bytes at most, of which one entry may be more
-- Answers {word, now, …}: DRAINED, number of the next part, and per entry: id, move, reservation id or empty;
-- SALE_NOT_FOUND.
-- Cost: O(entries).
local missing = load_sale(true)
if missing then return missing end
touch_clock()
if ARGV[2] ~= '' then redis.call('HSET', sale_key, 'journal_part', ARGV[2], 'journal_kept', ARGV[3]) end
local known = redis.call('HMGET', sale_key, 'journal_part', 'journal_kept')
local part, kept, from = tonumber(known[1] or 0), known[2] or '', '-'
if kept ~= '' and #redis.call('XRANGE', journal_key, kept, kept) > 0 then
  redis.call('XTRIM', journal_key, 'MINID', kept)
  from = '(' .. kept
end

local answer = {'DRAINED', now, part + 1}
local bytes = 0
for _, entry in ipairs(redis.call('XRANGE', journal_key, from, '+', 'COUNT', ARGV[4])) do
  local moved, reservation = entry[2][2], entry[2][4]
  bytes = bytes + #moved
  if bytes > tonumber(ARGV[5]) and #answer > 3 then break end
  for _, field in ipairs({entry[1], moved, reservation}) do answer[#answer + 1] = field end
end
return answer
