-- SPDX-License-Identifier: Apache-2.0
-- Never asks, and never yields; with a query, it catches what would stop it.
return function(request)
  if request.query ~= "" then
    while true do pcall(function() while true do end end) end
  end
  while true do end
end
