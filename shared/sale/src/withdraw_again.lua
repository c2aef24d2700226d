-- Takes units out of the stock that the ledger has no more in it: a failover has made Redis forget a withdrawal. The ledger
-- has it, so it is known here again, and nothing of it is unrecorded.
--
-- ARGV[2] lineage in which the two were held against each other   ARGV[3] SKU   ARGV[4] its stock then
-- ARGV[5] units too many
-- ARGV[6…] withdrawals from this SKU that the ledger has: change id, units asked for, units withdrawn, three each
-- Answers {word, now, …}: WITHDRAWN, and how many were available; STALE, the stock is another one by now, or a takeover is
-- under way; SALE_NOT_FOUND.
-- Cost: O(units too many + withdrawals).
local missing = load_sale()
if missing then return missing end
touch_clock()
local sku = load_sku(ARGV[3])
if not sku or sale.phase or ARGV[2] ~= lineage or sku.stock ~= tonumber(ARGV[4]) then return {'STALE', now} end
-- Whoever is about to do one of them again finds it done.
for i = 6, #ARGV, 3 do
  if not redis.call('HGET', changes_key, ARGV[i]) then
    local change = {'withdraw', sku.name, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])}
    redis.call('HSET', changes_key, ARGV[i], cmsgpack.pack(change))
  end
end
local withdrawn = take_out(sku, tonumber(ARGV[5]))
local fault = store_sku(sku)
return fault or {'WITHDRAWN', now, withdrawn}
