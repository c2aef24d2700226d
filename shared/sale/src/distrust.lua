-- Has a sale built again of the ledger, at an operator's wish: what Redis has of it is as good as of another history.
--
-- Answers {word, now}: DISTRUSTED; UNDER_WAY, it is being built again; SALE_NOT_FOUND.
-- Cost: O(SKUs).
local missing = load_sale(true)
if missing and missing[1] ~= 'FENCED' then return missing end
if missing then return {'UNDER_WAY', now} end
if sale.phase then
  -- A takeover that has found a SKU broken does not go on by itself.
  local is_stopped = false
  for name in sale.skus:gmatch('[^,]+') do
    if broken(load_sku(name)) then is_stopped = true end
  end
  if not is_stopped then return {'UNDER_WAY', now} end
end
redis.call('HSET', sale_key, 'lineage', '-')
return {'DISTRUSTED', now}
