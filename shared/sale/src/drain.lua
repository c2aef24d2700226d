-- The next part of the journal, to be kept in the ledger; first forgets the part that the ledger has. The last
-- entry that is kept stays in the stream: where it is not there, a failover has lost it, and what is there begins
-- the next part.
--
-- ARGV[2] number of the last part that the ledger has, or empty: what Redis knows of it
-- ARGV[3] id of its last entry, or empty where the ledger has none
-- ARGV[4] 1: it has nothing behind them, whatever Redis knows; 0: who says so may be behind Redis
-- ARGV[5] entries at most   ARGV[6] bytes at most, of which one entry may be more
-- Answers {word, now, …}: DRAINED, number of the next part, and per entry: id, move, reservation id or empty;
-- SALE_NOT_FOUND.
-- Cost: O(entries + SKUs).
local missing = load_sale(true)
if missing then return missing end
touch_clock()
local known = redis.call('HMGET', sale_key, 'journal_part', 'journal_kept')
local part, kept, from = tonumber(known[1] or 0), known[2] or '', '-'
if ARGV[2] ~= '' and (tonumber(ARGV[2]) > part or ARGV[4] == '1') then
  part, kept = tonumber(ARGV[2]), ARGV[3]
  redis.call('HSET', sale_key, 'journal_part', part, 'journal_kept', kept)
end
if kept ~= '' and #redis.call('XRANGE', journal_key, kept, kept) > 0 then
  redis.call('XTRIM', journal_key, 'MINID', kept)
  from = '(' .. kept
elseif kept ~= '' and redis.call('HGET', sale_key, 'journal_resumed') ~= kept then
  -- The numbers of these entries show what else the ledger has that is lost.
  redis.call('HSET', sale_key, 'journal_resumed', kept)
  for name in sale.skus:gmatch('[^,]+') do
    local sku = load_sku(name)
    note(sku, 'resumed', 'available', 'available', '', 0)
    local fault = store_sku(sku)
    if fault then return fault end
  end
end

local answer = {'DRAINED', now, part + 1}
local bytes = 0
for _, entry in ipairs(redis.call('XRANGE', journal_key, from, '+', 'COUNT', ARGV[5])) do
  local fields = {cmsgpack.unpack(entry[2][2])}
  local reservation = table.remove(fields, 8)
  local moved = table.concat(fields, ' ')
  bytes = bytes + #moved
  if bytes > tonumber(ARGV[6]) and #answer > 3 then break end
  for _, field in ipairs({entry[1], moved, reservation}) do answer[#answer + 1] = field end
end
return answer
