-- Has a sale built again of the ledger, at an operator's wish: what Redis has of it is as good as of another history.
--
-- Answers {word, now}: DISTRUSTED; UNDER_WAY, it is being built again; SALE_NOT_FOUND.
-- Cost: O(1).
local missing = load_sale(true)
if missing and missing[1] ~= 'FENCED' then return missing end
if missing or sale.phase then return {'UNDER_WAY', now} end
redis.call('HSET', sale_key, 'lineage', '-')
return {'DISTRUSTED', now}
