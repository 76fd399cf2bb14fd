-- SPDX-License-Identifier: Apache-2.0
-- Says that it has begun, and goes on until the file that the query names is there.
return function(request)
  io.stdout:write("begun\n") -- in one piece: several threads say it
  io.stdout:flush()
  local file = io.open(request.query)
  while not file do
    coroutine.yield()
    file = io.open(request.query)
  end
  file:close()
  return "finished"
end
