-- A page of where each unit of a SKU is, read place by place. Changes nothing. Pages are read one after the
-- other, so of a sale that goes on a unit may be seen in two places, or in none.
--
-- ARGV[2] SKU   ARGV[3] place   ARGV[4] where the page begins, 0 at first   ARGV[5] entries, or serials of a
-- bitmap, at most; a multiple of 8
--   fresh        never issued             returned     came back
--   held         in holds                 confirming   in confirms that are not finished
--   sold         marked as sold           quarantined  kept back by a takeover
--   withdrawn    left the stock
-- Answers {word, now, …}: UNITS, where the next page begins or 0 after the last, and per run of serials: first,
-- last, reservation id or empty, its expires_at in ms or 0; SKU_NOT_FOUND; SALE_NOT_FOUND.
-- Cost: O(entries); for a bitmap O(serials).
local place, from, most = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local missing = load_sale(true)
if missing then return missing end
local sku = load_sku(ARGV[2])
if not sku then return {'SKU_NOT_FOUND', now} end
local answer = {'UNITS', now, 0}

local function add(first, last, id, expires_at)
  for _, field in ipairs({first, last, id or '', expires_at or 0}) do answer[#answer + 1] = field end
end

-- Says whether there may be another page: this one was full.
local function turn_page(found)
  if found == most then answer[3] = from + most end
end

local function add_list(key)
  local serials = redis.call('LRANGE', key, from, from + most - 1)
  for _, serial in ipairs(serials) do add(tonumber(serial), tonumber(serial)) end
  turn_page(#serials)
end

local function add_reservations(key, state)
  local ids = redis.call('ZRANGE', key, from, from + most - 1)
  for _, id in ipairs(ids) do
    local r = load_reservation(id)
    if r and r.state == state and r.sku == sku.name then
      for _, unit in ipairs(r.units) do add(unit, unit, id, r.expires_at) end
    end
  end
  turn_page(#ids)
end

local function add_bitmap(key)
  local bytes = redis.call('GETRANGE', key, from / 8, (from + most) / 8 - 1)
  local first
  for i = 1, #bytes do
    local byte = bytes:byte(i)
    for place_in_byte = 0, 7 do
      local serial = from + (i - 1) * 8 + place_in_byte
      local is_set = bit.band(byte, bit.rshift(128, place_in_byte)) ~= 0
      if is_set and not first then first = serial end
      if first and not is_set then
        add(first, serial - 1)
        first = nil
      end
    end
  end
  if first then add(first, from + #bytes * 8 - 1) end
  turn_page(#bytes * 8)
end

if place == 'fresh' then
  if sku.next <= sku.top then add(sku.next, sku.top) end
elseif place == 'returned' then
  add_list(sku.returned_key)
elseif place == 'held' then
  add_reservations(sku.holds_key, 'h')
elseif place == 'confirming' then
  add_reservations(unsettled_key, 'c')
elseif place == 'sold' then
  add_bitmap(sku.sold_key)
elseif place == 'quarantined' then
  add_bitmap(quarantine_key(sku.name))
elseif place == 'withdrawn' then
  add_list(sku.withdrawn_key)
end
return answer
