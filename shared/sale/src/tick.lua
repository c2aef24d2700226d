-- Moves a waiting room on where nobody else does, sets its pace, and gives its record to be kept in the ledger.
--
-- ARGV[2] 1: what shoppers need does not keep up with them, 0: it does
-- Answers {word, now, …}: TICKED, epoch, record; NO_ROOM; SALE_NOT_FOUND.
-- Cost: O(SKUs × log holds).
local PACE_MIN, PACE_STEP = 0.1, 0.05

local missing = load_sale()
if missing then return missing end
touch_clock()
if not load_room() then return {'NO_ROOM', now} end
advance()
if queue.lobby == NOT_DRAWN then
  queue.seen = lobby_size()
end
if ARGV[2] == '1' then
  queue.pace = math.max(PACE_MIN, queue.pace / 2)
else
  queue.pace = math.min(1, queue.pace + PACE_STEP)
end
is_changed = true
store_queue()
return {'TICKED', now, sale.epoch, stored_queue()}
