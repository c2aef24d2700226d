-- Whose turn it is by a ticket. Changes nothing.
--
-- ARGV[2] shopper
-- ARGV[3] ticket: number, behind the lobby, or lot, of the lobby   ARGV[4] its epoch
-- ARGV[5] its number, or the place that its lot has   ARGV[6] the size of the lobby for which it has that place
-- Answers {word, now, …}:
--   LOT             the draw is still to come
--   DRAW            size of the lobby and seed: of which place this lot is, must be said first
--   WAITING         place, places ahead
--   SERVED          place (0 for whom the merchant lets pass), serving time that is left of the turn in ms
--   PASSED, USED    place
--   NO_ROOM, SALE_NOT_FOUND
-- Cost: O(SKUs × log holds).
local missing = load_sale()
if missing then return missing end
if not load_room() then return {'NO_ROOM', now} end
advance()
if may_bypass(ARGV[2]) then return {'SERVED', now, 0, room.turn_ms} end
if has_no_ticket(3) then return {'PASSED', now, 0} end
if ARGV[3] == 'lot' and queue.lobby == NOT_DRAWN then return {'LOT', now} end
local place = place_by_ticket(3)
if not place then return {'DRAW', now, drawn()} end
local turn, figure = turn_of(place)
if has_used(place, ARGV[2]) and #load_shopper(ARGV[2]) == 0 then return {'USED', now, place} end
if turn == 'WAITING' then return {'WAITING', now, place, figure} end
if turn == 'SERVED' then return {'SERVED', now, place, figure} end
return {'PASSED', now, place}
