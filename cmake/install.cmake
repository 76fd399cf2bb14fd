# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, in four components: runtime, development, lua, program.
include(CMakePackageConfigHelpers)
set(cmakedir ${CMAKE_INSTALL_LIBDIR}/cmake/cctx)
set(targets cctx)
set(headers core/include/ bindings/lua/include/ bindings/python/include/)
set(packages cctx)
if(TARGET cctx_static)
  list(APPEND targets cctx_static)
endif()
if(TARGET cctx_extras)
  list(APPEND targets cctx_extras)
  list(APPEND headers extras/include/)
  list(APPEND packages cctx-extras)
endif()

# set_install_rpath(TARGET DIRECTORY): TARGET, in DIRECTORY, finds the library that was
# installed with it, wherever the whole was moved.
function(set_install_rpath target directory)
  get_filename_component(from "${directory}" ABSOLUTE BASE_DIR /prefix)
  get_filename_component(to "${CMAKE_INSTALL_LIBDIR}" ABSOLUTE BASE_DIR /prefix)
  file(RELATIVE_PATH way "${from}" "${to}")
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${way}")
endfunction()

install(TARGETS ${targets} EXPORT cctx
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
        NAMELINK_COMPONENT development
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(EXPORT cctx FILE cctxTargets.cmake NAMESPACE cctx:: DESTINATION ${cmakedir}
        COMPONENT development)
install(DIRECTORY ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development)
configure_package_config_file(cmake/cctxConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cctxConfig.cmake
                              INSTALL_DESTINATION ${cmakedir})
# Until 1.0 a minor version may change anything.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cctxConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cctxConfig.cmake
        ${PROJECT_BINARY_DIR}/cctxConfigVersion.cmake
        DESTINATION ${cmakedir} COMPONENT development)
install(CODE "set(PACKAGES ${packages})
set(version ${PROJECT_VERSION})
set(SOURCE \"${PROJECT_SOURCE_DIR}/cmake\")
set(BINARY \"${PROJECT_BINARY_DIR}\")
set(LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
set(INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
include(\"${PROJECT_SOURCE_DIR}/cmake/pkgconfig.cmake\")" COMPONENT development)

if(TARGET lua_cctx)
  set_install_rpath(lua_preflight ${CCTX_LUA_MODULES})
  set_install_rpath(lua_cctx ${CCTX_LUA_MODULES}/cctx)
  install(TARGETS lua_preflight LIBRARY DESTINATION ${CCTX_LUA_MODULES} COMPONENT lua)
  install(TARGETS lua_cctx LIBRARY DESTINATION ${CCTX_LUA_MODULES}/cctx COMPONENT lua)
  install(FILES bindings/lua/meta/cctx.lua
          DESTINATION ${CMAKE_INSTALL_DATADIR}/cctx/lua COMPONENT lua)
endif()
if(TARGET cctx_host)
  set_install_rpath(cctx_host ${CMAKE_INSTALL_BINDIR})
  install(TARGETS cctx_host RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(FILES docs/cctx.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()

if(NOT outer)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DBINARY=${PROJECT_BINARY_DIR}
                    -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake)
endif()
