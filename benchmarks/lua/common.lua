-- What all scripts share: their options, the buyers, the next place, a request to take it, the report at the end.
-- wrk runs with one thread, so one counter is enough for seats never to be asked for twice.
local common = {}

-- Words of the form name=value, as Python gives them.
function common.options(args)
   local options = {}
   for _, word in ipairs(args) do
      local name, value = word:match("^([%w_]+)=(.*)$")
      options[name] = tonumber(value) or value
   end
   return options
end

-- One token a line; the n-th is that of the user `first_user` + n - 1.
function common.buyers(options)
   local tokens = {}
   for token in io.lines(options.tokens) do
      tokens[#tokens + 1] = token
   end
   return tokens
end

-- Screening and first seat of the n-th taking: `at_once` screenings are sold side by side, `each` seats at a time (1 unless
-- the options say so), then the next ones. `seats` counts takings.
function common.place(options, n)
   local together = options.at_once * options.seats
   local window, rest = math.floor(n / together), n % together
   local screening = options.first_screening + window * options.at_once + rest % options.at_once
   return screening, options.first_seat + math.floor(rest / options.at_once) * (options.each or 1)
end

-- A POST as a browser's client would send it: a token, a key, JSON.
function common.post(path, token, key, body)
   return "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer "
      .. token .. "\r\nIdempotency-Key: " .. key .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

-- The request that takes place n, by the buyer and with the key of these numbers.
function common.take(options, tokens, n, buyer, key, action)
   local screening, seat = common.place(options, n)
   local path = "/api/v1/screenings/" .. screening .. "/reservations" .. (action or "")
   local seats = seat
   for further = seat + 1, seat + (options.each or 1) - 1 do
      seats = seats .. "," .. further
   end
   local body = options.body or ('{"seat_ids":[' .. seats .. "]}")
   return common.post(path, tokens[buyer % #tokens + 1], options.keys .. string.format("%012d", key), body)
end

-- A script that asks `nth(options, tokens, n)` for request after request. It counts on where the round before it ended.
function common.counting(nth)
   local options, tokens
   function init(args)
      options = common.options(args)
      tokens = common.buyers(options)
      n = options.start
   end
   function request()
      n = n + 1
      return nth(options, tokens, n - 1)
   end
end

local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
end

-- One line for Python. Times are in microseconds.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      'BENCH {"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d, "next": %d}\n',
      summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("n") or 0
   ))
end

return common
