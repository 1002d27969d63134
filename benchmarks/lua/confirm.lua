-- Holds, and confirms each hold that was answered: two requests for a booking, both counted.
local common = require "common"
local options, tokens
local held = {}

function init(args)
   options = common.options(args)
   tokens = common.buyers(options)
   n = options.start
end

function request()
   local reservation = table.remove(held)
   if reservation then
      local path = "/api/v1/reservations/" .. reservation.id .. "/confirm"
      return common.post(path, tokens[reservation.user - options.first_user + 1], "confirm-" .. reservation.id, "{}")
   end
   n = n + 1
   return common.take(options, tokens, n - 1, n - 1, n - 1)
end

function response(status, headers, body)
   if status == 201 and body:find('"status":"held"', 1, true) then
      held[#held + 1] = { id = body:match('"id":"([^"]+)"'), user = tonumber(body:match('"user_id":(%d+)')) }
   end
end
