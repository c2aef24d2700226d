-- Forgets what Redis has of a sale whose history broke, page by page; the journal stays, which nothing else tells.
--
-- ARGV[2] where the page begins, 0 at first   ARGV[3] the lineage in which that was said, or empty
-- Answers {word, now, …}: FORGOTTEN, where the next page begins, 0 where nothing is left, and the lineage; PRESENT, the
-- sale is not to be forgotten; SALE_NOT_FOUND.
-- Cost: O(1) for each of a thousand keys, which may be other sales'.
local missing = load_sale(true)
if not missing then return {'PRESENT', now} end
if missing[1] ~= 'FENCED' then return missing end
-- Where a page begins is known to one dataset only.
local page = redis.call('SCAN', ARGV[3] == lineage and ARGV[2] or '0', 'MATCH', sale_key .. ':*', 'COUNT', 1000)
for _, key in ipairs(page[2]) do
  if key ~= journal_key then redis.call('UNLINK', key) end
end
if page[1] == '0' then redis.call('HSET', sale_key, 'forgotten', lineage) end
return {'FORGOTTEN', now, page[1], lineage}
