-- Notes that an order is about to be cancelled in the ledger, so that the sweep gives its units back
-- if whoever cancels it dies in between. One that stands becomes an order here before: what a confirm says of it later
-- is no news then, and leaves the note alone.
--
-- ARGV[2] reservation id   ARGV[3] deadline of a cancel in ms
-- Where it stands: ARGV[4] its SKU   ARGV[5…] the order, see `read_orders`
-- Answers {word, now}: NOTED; SALE_NOT_FOUND.
-- Cost: O(units × log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local sku = ARGV[4] and load_sku(ARGV[4])
if sku then
  recognise(sku, read_orders(sku, 5)[1])
  local fault = store_sku(sku)
  if fault then return fault end
end
redis.call('ZADD', unsettled_key, 'GT', now + tonumber(ARGV[3]) + skew_ms, ARGV[2])
return {'NOTED', now}
