-- Frees holds whose time is over, oldest first, of every SKU. No sale depends on it (the next reserve
-- frees what it needs); it keeps the figures true and ends the records.
--
-- ARGV[2] how many holds at most per SKU
-- Answers {word, now, …}: SALE_NOT_FOUND, or EXPIRED with the number freed and 1 while there are more.
-- Cost: O(freed × log holds).
local missing = load_sale()
if missing then return missing end
local most, freed, more = tonumber(ARGV[2]), 0, 0
for name in sale.skus:gmatch('[^,]+') do
  local sku = load_sku(name)
  local count = free_overdue(sku, most)
  if count > 0 then
    local fault = store_sku(sku)
    if fault then return fault end
  end
  if count == most then more = 1 end
  freed = freed + count
end
if freed > 0 then touch_clock() end
return {'EXPIRED', now, freed, more}
