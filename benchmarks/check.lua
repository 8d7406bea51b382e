-- Session checks for wrk, from many sessions in turn.
-- wrk -s check.lua URL -- FILE: each line of FILE is a header ("Name: value")
-- that carries one session.
local requests, number = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local name, value = line:match("^([^:]+): (.*)$")
    requests[#requests + 1] = wrk.format("GET", nil, {[name] = value})
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n@@{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, ' ..
    '"p99_ms": %.4f, "max_ms": %.4f, "bad": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.status + errors.connect + errors.read +
    errors.write + errors.timeout))
end
