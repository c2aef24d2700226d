-- What the scripts of a sale share: the names of its keys, its clock, its records, its invariant.
--
-- KEYS[1]   the sale's tag, "{sale}"; it is also the key of the sale's own hash
-- ARGV[1]   clock skew in ms: a unit is sold again at `expires_at` plus this allowance
-- Behind all other arguments, and no more in ARGV when a script begins: the lineage of the dataset that the
-- connection leads to, and the lineage that this one continues, or empty
--
-- Keys of a sale, all behind the tag:
--   (none)             hash    window, limit, hold length, epoch, clock, lineage, definition; rate, turn_ms, lobby_at, joined,
--                              serving_paused, door_closed, serve_to, seed, moved_at: the waiting room, where there is one;
--                              journal_part, journal_kept: the last part of the journal that the ledger has; journal_resumed: the
--                              last entry of a part that was found lost; forgotten: in which history all else of a fenced
--                              sale was forgotten, and how far;
--                              cancels_compared: in which history cancels were held against the ledger, and how far
--   :sku:<sku>         hash    stock top next held sold quarantined withdrawn price; changes: entries of the journal;
--                              compared: in which history it was held against the ledger, and how far
--   :returned:<sku>    list    serials below `next` that came back
--   :withdrawn:<sku>   list    serials below `top` that left the stock
--   :quarantine:<sku>  string  bitmap of serials that a takeover keeps back
--   :sold:<sku>        string  bitmap of sold serials
--   :unfound:<sku>     string  bitmap of those among them that are not counted as sold yet: Redis had lost their order,
--                              and they are still in a hold or for sale
--   :holds:<sku>       zset    reservation id by expires_at, only while held
--   :unsettled         zset    reservation id by the instant from which the sweep looks at it
--   :r:<id>            string  one reservation; without an order it ends a day after the sale's end
--   :p:<shopper>       string  the shopper's reservations that count against the limit
--   :b:<shopper>       string  the shopper's rate limit; vanishes when it is full again
--   :changes           hash    the merchant's changes of stock by idempotency key
--   :unrecorded        hash    withdrawals that the ledger has not yet
--   :journal           stream  moves of units that the ledger has not yet, and the last one that it has
--   :queue :lobby :t: :bypass  the waiting room's, see queue.lua
-- One key is of no sale: `spillway` exists from the first sale on; without it the dataset is empty.
--
-- Every answer is {word, now, …}.
local sale_key = KEYS[1]
local skew_ms = tonumber(ARGV[1])
local continued = table.remove(ARGV)
local lineage = table.remove(ARGV)
local RECORD_FORMAT = '\1'
local RETENTION_MS = 86400000

-- Entries of a journal that nobody keeps in the ledger; beyond it the oldest are dropped.
local JOURNAL_MAX = 100000
local JOURNAL_TRIMMED_EVERY = 64

local SEED_KEY = 'spillway'
local unsettled_key, changes_key = sale_key .. ':unsettled', sale_key .. ':changes'
local unrecorded_key, journal_key = sale_key .. ':unrecorded', sale_key .. ':journal'
local function sku_key(name) return sale_key .. ':sku:' .. name end
local function returned_key(name) return sale_key .. ':returned:' .. name end
local function withdrawn_key(name) return sale_key .. ':withdrawn:' .. name end
local function quarantine_key(name) return sale_key .. ':quarantine:' .. name end
local function sold_key(name) return sale_key .. ':sold:' .. name end
local function unfound_key(name) return sale_key .. ':unfound:' .. name end
local function holds_key(name) return sale_key .. ':holds:' .. name end
local function reservation_key(id) return sale_key .. ':r:' .. id end
local function shopper_key(shopper) return sale_key .. ':p:' .. shopper end
local function bucket_key(shopper) return sale_key .. ':b:' .. shopper end

local sale, now

-- The sale's fields, and `now`: Redis's time, but never earlier than the last time seen in the sale,
-- so that a promoted node cannot set it back. Without a sale: the answer that says why. A sale that is
-- being built of the ledger is there for the takeover's own scripts only. One that was last written in a history
-- which this one does not continue may lack anything: it is there for nobody, until it is built again.
local function load_sale(for_takeover)
  local names = {'version', 'epoch', 'opens_at', 'closes_at', 'paused', 'closed', 'hold_ms', 'limit',
    'shoppers', 'currency', 'clock', 'skus', 'phase', 'quarantine_until', 'rate', 'lineage'}
  local values = redis.call('HMGET', sale_key, unpack(names))
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  if not values[1] then
    return {redis.call('EXISTS', SEED_KEY) == 1 and 'SALE_NOT_FOUND' or 'UNSEEDED', now}
  end
  sale = {}
  for i, name in ipairs(names) do sale[name] = values[i] end
  for _, name in ipairs({'version', 'epoch', 'opens_at', 'closes_at', 'hold_ms', 'limit', 'clock',
    'quarantine_until', 'rate'}) do
    sale[name] = tonumber(sale[name])
  end
  now = math.max(now, sale.clock)
  -- Without a lineage any will do: who wrote last knows that nothing can be missing.
  if sale.lineage and sale.lineage ~= lineage and sale.lineage ~= continued then return {'FENCED', now} end
  if sale.phase == 'building' and not for_takeover then return {'UNSEEDED', now} end
end

-- Keeps the clock, and the history. Every script that changes or confirms anything calls it, also on a repeat: WAIT
-- proves only what was written before it on the same connection, so a repeat must write, too.
local function touch_clock()
  if sale.lineage == lineage then
    redis.call('HSET', sale_key, 'clock', now)
  else
    redis.call('HSET', sale_key, 'clock', now, 'lineage', lineage)
  end
end

-- Whether a takeover still keeps units back, because somebody may confirm them with a receipt.
local function is_in_quarantine()
  return sale.phase == 'quarantine'
end

local function sale_state()
  if sale.closed == '1' or (sale.closes_at and now >= sale.closes_at) then return 'ended' end
  if sale.version == 0 or not sale.opens_at or now < sale.opens_at then return 'announced' end
  if sale.paused == '1' then return 'paused' end
  return 'open'
end

-- One SKU's counters, or nil where the sale has no such SKU.
local function load_sku(name)
  local key = sku_key(name)
  local v = redis.call('HMGET', key, 'stock', 'top', 'next', 'held', 'sold', 'quarantined', 'withdrawn', 'price',
    'changes', 'read_top')
  if not v[1] then return nil end
  return {
    name = name, key = key,
    stock = tonumber(v[1]), top = tonumber(v[2]), next = tonumber(v[3]), held = tonumber(v[4]),
    sold = tonumber(v[5]), quarantined = tonumber(v[6]), withdrawn = tonumber(v[7]), price = tonumber(v[8]),
    -- The journal of a SKU that an earlier version has made lacks its first entry.
    changes = tonumber(v[9] or 1),
    -- The highest serial that a takeover keeps back.
    read_top = tonumber(v[10] or 0),
    returned_key = returned_key(name),
    withdrawn_key = withdrawn_key(name),
    sold_key = sold_key(name),
    holds_key = holds_key(name),
  }
end

local function available(sku)
  return sku.top - sku.next + 1 + redis.call('LLEN', sku.returned_key)
end

-- The invariant of every SKU. An answer that begins with BROKEN wakes an operator.
local function broken(sku)
  local found = available(sku)
  local fewest = math.min(found, sku.held, sku.sold, sku.quarantined)
  if fewest >= 0 and sku.stock == found + sku.held + sku.sold + sku.quarantined then return nil end
  return redis.error_reply(string.format('BROKEN %s %s: stock %d, available %d, held %d, sold %d, quarantined %d',
    sale_key, sku.name, sku.stock, found, sku.held, sku.sold, sku.quarantined))
end

local function store_sku(sku)
  redis.call('HSET', sku.key, 'stock', sku.stock, 'top', sku.top, 'next', sku.next, 'held', sku.held,
    'sold', sku.sold, 'quarantined', sku.quarantined, 'withdrawn', sku.withdrawn, 'changes', sku.changes)
  return broken(sku)
end

-- Writes an entry of the journal. It is numbered within its SKU and epoch, and has Redis's time, so that a missing one is
-- noticed.
local function note(sku, change, from, to, id, quantity, units)
  sku.changes = sku.changes + 1
  local entry = cmsgpack.pack(sale.epoch, sku.changes, sku.name, change, from, to, quantity, id, unpack(units or {}))
  -- Not each time: to trim, and to tell the replicas of it, takes as long as to write.
  if sku.changes % JOURNAL_TRIMMED_EVERY == 0 then
    redis.call('XADD', journal_key, 'MAXLEN', '~', JOURNAL_MAX, now .. '-*', 'e', entry)
  else
    redis.call('XADD', journal_key, now .. '-*', 'e', entry)
  end
end

-- Moves units between the counts of their SKU, and writes it into the journal. Counts: available (which the lists
-- of serials are, so that nothing is added up here), held, sold, quarantined, and outside, not in the stock. `change`
-- is why, `id` which reservation, or empty; `units` are serials, or how many where any of them are meant.
local function move(sku, change, from, to, id, units)
  local is_list = type(units) == 'table'
  local quantity = is_list and #units or units
  if quantity == 0 then return end
  if from == 'outside' then sku.stock = sku.stock + quantity end
  if to == 'outside' then sku.stock = sku.stock - quantity end
  if sku[from] then sku[from] = sku[from] - quantity end
  if sku[to] then sku[to] = sku[to] + quantity end
  note(sku, change, from, to, id, quantity, is_list and units)
end

-- A SKU that the sale has not had yet.
local function add_sku(name, stock)
  redis.call('HSET', sku_key(name), 'stock', 0, 'top', stock, 'next', 1, 'held', 0, 'sold', 0, 'quarantined', 0,
    'withdrawn', 0, 'price', 0, 'changes', 0)
  local sku = load_sku(name)
  move(sku, 'opened', 'outside', 'available', '', tonumber(stock))
  return store_sku(sku)
end

-- Counts units as sold that were marked so before.
local function find_sold(sku, from, units)
  for _, unit in ipairs(units) do redis.call('SETBIT', unfound_key(sku.name), unit, 0) end
  move(sku, 'found_sold', from, 'sold', '', units)
end

-- Takes `quantity` serials, or none. A serial whose sold bit is set was confirmed while Redis had
-- forgotten it: it is counted as sold here and another one is taken.
local function take(sku, quantity)
  local units = {}
  while #units < quantity do
    local serial = tonumber(redis.call('LPOP', sku.returned_key))
    if not serial and sku.next <= sku.top then
      serial = sku.next
      sku.next = sku.next + 1
    end
    if not serial then
      for _, unit in ipairs(units) do redis.call('RPUSH', sku.returned_key, unit) end
      return nil
    end
    if redis.call('GETBIT', sku.sold_key, serial) == 1 then
      find_sold(sku, 'available', {serial})
    else
      units[#units + 1] = serial
    end
  end
  return units
end

-- Units that were held or sold become available again; one that the ledger has given to somebody else is sold. In quarantine
-- they are kept back again: who confirmed them may not have been the only one with a receipt for them.
local function give_back(sku, change, from, id, units)
  local may_be_claimed = is_in_quarantine() and now < sale.quarantine_until
  local returned, kept_back, found = {}, {}, {}
  for _, unit in ipairs(units) do
    if redis.call('GETBIT', sku.sold_key, unit) == 1 then
      found[#found + 1] = unit
    elseif may_be_claimed and unit <= sku.read_top then
      kept_back[#kept_back + 1] = unit
      redis.call('SETBIT', quarantine_key(sku.name), unit, 1)
    else
      returned[#returned + 1] = unit
      redis.call('RPUSH', sku.returned_key, unit)
    end
  end
  move(sku, change, from, 'available', id, returned)
  move(sku, change, from, 'quarantined', id, kept_back)
  find_sold(sku, from, found)
end

-- Takes up to `quantity` available units out of the stock: never-issued serials first, from the top. Returns how many.
local function take_out(sku, quantity)
  local taken = math.min(quantity, sku.top - sku.next + 1)
  sku.top = sku.top - taken
  while taken < quantity do
    if not redis.call('LMOVE', sku.returned_key, sku.withdrawn_key, 'LEFT', 'RIGHT') then break end
    taken = taken + 1
  end
  move(sku, 'withdrawn', 'available', 'outside', '', taken)
  sku.withdrawn = sku.withdrawn + taken
  return taken
end

-- Marks a unit as sold. One that is not counted as sold here is counted when it turns up, unless it was before.
local function mark_sold(sku_name, unit, is_counted)
  local was_marked = redis.call('SETBIT', sold_key(sku_name), unit, 1) == 1
  if was_marked == is_counted then redis.call('SETBIT', unfound_key(sku_name), unit, is_counted and 0 or 1) end
end

-- The rate limit of a shopper as one number, the instant at which the bucket will be full again: whether this
-- request may go on, how many more may, and after how many ms the bucket is full. One that must is counted, too.
local function take_token(shopper, quota, window_ms, must_go_on)
  if quota == 0 then return true, 0, 0 end
  local key, step_ms = bucket_key(shopper), window_ms / quota
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now)
  if full_at + step_ms <= now + window_ms then
    full_at = full_at + step_ms
  elseif not must_go_on then
    return false, math.ceil(full_at - now), math.ceil(full_at + step_ms - now - window_ms)
  end
  local reset_ms = math.ceil(full_at - now)
  redis.call('SET', key, full_at, 'PX', reset_ms)
  return true, math.floor((now + window_ms - full_at) / step_ms), reset_ms
end

-- Reservations. States: h held, c confirming, o ordered, r released, x expired, k cancelled.
local function load_reservation(id)
  local stored = redis.call('GET', reservation_key(id))
  if not stored then return nil end
  if stored:sub(1, 1) ~= RECORD_FORMAT then error(redis.error_reply('BROKEN unknown record format of a reservation')) end
  local f = cmsgpack.unpack(stored:sub(2))
  local reservation = {id = id, state = f[1], shopper = f[2], sku = f[3], expires_at = f[4], price = f[5],
    currency = f[6], limit = f[7], epoch = f[8], units = {}}
  for i = 9, #f do reservation.units[i - 8] = f[i] end
  return reservation
end

local function store_reservation(r)
  local stored = RECORD_FORMAT .. cmsgpack.pack({r.state, r.shopper, r.sku, r.expires_at, r.price, r.currency,
    r.limit, r.epoch, unpack(r.units)})
  local key = reservation_key(r.id)
  if r.state == 'r' or r.state == 'x' then
    redis.call('SET', key, stored, 'PXAT', math.max(sale.closes_at, now) + RETENTION_MS)
  else
    -- An order can be cancelled long after the end that the sale has today.
    redis.call('SET', key, stored)
  end
end

-- What a caller is told of a reservation; `Reservation::read` reads it. A hold whose time is over is
-- told as expired, although its units stay until the next reserve or sweep takes them.
local function tell(answer, r)
  local state = r.state
  if state == 'h' and now >= r.expires_at then state = 'x' end
  for _, field in ipairs({r.id, state, r.shopper, r.sku, r.expires_at, r.price, r.currency, r.limit, r.epoch}) do
    answer[#answer + 1] = field
  end
  for _, unit in ipairs(r.units) do answer[#answer + 1] = unit end
  return answer
end

-- The shopper's reservations that count against the limit: {id, quantity, id, quantity, …}.
local function load_shopper(shopper)
  local stored = redis.call('GET', shopper_key(shopper))
  if not stored then return {} end
  if stored:sub(1, 1) ~= RECORD_FORMAT then error(redis.error_reply('BROKEN unknown record format of a shopper')) end
  return cmsgpack.unpack(stored:sub(2))
end

local function store_shopper(shopper, counted)
  local key = shopper_key(shopper)
  if #counted == 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, RECORD_FORMAT .. cmsgpack.pack(counted))
  end
end

local function count(r)
  local counted = load_shopper(r.shopper)
  counted[#counted + 1] = r.id
  counted[#counted + 1] = #r.units
  store_shopper(r.shopper, counted)
end

local function discount(r)
  local counted, kept = load_shopper(r.shopper), {}
  for i = 1, #counted, 2 do
    if counted[i] ~= r.id then
      kept[#kept + 1] = counted[i]
      kept[#kept + 1] = counted[i + 1]
    end
  end
  store_shopper(r.shopper, kept)
end

local CHANGE_OF_END = {r = 'released', x = 'expired', k = 'cancelled'}

-- Ends a held or confirming reservation without an order: its units are available again.
local function end_hold(sku, r, state)
  give_back(sku, CHANGE_OF_END[state], 'held', r.id, r.units)
  redis.call('ZREM', sku.holds_key, r.id)
  redis.call('ZREM', unsettled_key, r.id)
  r.state = state
  store_reservation(r)
  discount(r)
end

-- A held or confirming reservation becomes an order of these units: they are sold, and what else it held is
-- available again.
local function become_order(sku, r, ordered)
  local held, named, sold, returned = {}, {}, {}, {}
  for _, unit in ipairs(r.units) do held[unit] = true end
  for _, unit in ipairs(ordered) do
    named[unit] = true
    mark_sold(sku.name, unit, held[unit] == true)
  end
  for _, unit in ipairs(r.units) do
    local list = named[unit] and sold or returned
    list[#list + 1] = unit
  end
  move(sku, 'sold', 'held', 'sold', r.id, sold)
  give_back(sku, 'returned', 'held', r.id, returned)
  redis.call('ZREM', sku.holds_key, r.id)
  r.units, r.state = ordered, 'o'
  store_reservation(r)
end

-- Puts an order on record of which Redis knows nothing; its units count as sold when they turn up, and at once where a
-- takeover keeps them back. The ledger may have gone on since it said so: the sweep asks it once more, because nobody could
-- note a cancel here.
local function adopt(sku, order)
  local sold = {}
  for _, unit in ipairs(order.units) do
    local was_kept_back = is_in_quarantine() and redis.call('SETBIT', quarantine_key(sku.name), unit, 0) == 1
    mark_sold(sku.name, unit, was_kept_back)
    if was_kept_back then sold[#sold + 1] = unit end
  end
  move(sku, 'sold', 'quarantined', 'sold', order.id, sold)
  store_reservation(order)
  count(order)
  redis.call('ZADD', unsettled_key, 'GT', now, order.id)
end

-- An order of the ledger becomes one here. Tells how Redis had it: `live`, held or confirming; `lost`, as nothing, or as
-- ended without an order; `known`, as the order; `cancelled`, which it was since the ledger said so.
local function recognise(sku, order)
  local r = load_reservation(order.id)
  if r and r.state == 'o' then return 'known' end
  if r and r.state == 'k' then return 'cancelled' end
  if r and (r.state == 'h' or r.state == 'c') then
    become_order(sku, r, order.units)
    redis.call('ZREM', unsettled_key, r.id)
    return 'live'
  end
  adopt(sku, order)
  return 'lost'
end

-- Orders as the ledger has them, from this argument on, each: reservation id, shopper, price, currency, units n,
-- n serials.
local function read_orders(sku, i)
  local orders = {}
  while i <= #ARGV do
    local r = {id = ARGV[i], state = 'o', shopper = ARGV[i + 1], sku = sku.name, expires_at = now,
      price = tonumber(ARGV[i + 2]), currency = ARGV[i + 3], limit = sale.limit, epoch = sale.epoch, units = {}}
    local last = i + 4 + tonumber(ARGV[i + 4])
    for j = i + 5, last do r.units[#r.units + 1] = tonumber(ARGV[j]) end
    orders[#orders + 1] = r
    i = last + 1
  end
  return orders
end

-- Frees up to `most` holds of this SKU whose time is over, oldest first. Returns how many it freed.
local function free_overdue(sku, most)
  local ids = redis.call('ZRANGEBYSCORE', sku.holds_key, '-inf', now - skew_ms, 'LIMIT', 0, most)
  for _, id in ipairs(ids) do
    local r = load_reservation(id)
    if not r or r.state ~= 'h' then error(redis.error_reply('BROKEN a hold without its record')) end
    end_hold(sku, r, 'x')
  end
  return #ids
end
