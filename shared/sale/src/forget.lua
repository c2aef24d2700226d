-- Forgets what Redis has of a sale whose history broke, page by page; the journal stays, which nothing else tells. How far
-- that is stands with the sale, so that anyone goes on with it.
--
-- Answers {word, now, …}: FORGOTTEN, 1 where more is left, else 0; PRESENT, the sale is not to be forgotten; SALE_NOT_FOUND.
-- Cost: O(1) for each of a thousand keys, which may be other sales'.
local missing = load_sale(true)
if not missing then return {'PRESENT', now} end
if missing[1] ~= 'FENCED' then return missing end
local forgotten = redis.call('HGET', sale_key, 'forgotten')
if forgotten == lineage .. ':all' then return {'FORGOTTEN', now, 0} end
-- Where a page begins is known to one dataset only.
local place = forgotten and forgotten:match('^' .. lineage .. ':(%d+)$') or '0'
local page = redis.call('SCAN', place, 'MATCH', sale_key .. ':*', 'COUNT', 1000)
for _, key in ipairs(page[2]) do
  if key ~= journal_key then redis.call('UNLINK', key) end
end
local is_all = page[1] == '0'
redis.call('HSET', sale_key, 'forgotten', lineage .. ':' .. (is_all and 'all' or page[1]))
return {'FORGOTTEN', now, is_all and 0 or 1}
