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
foreach(target cctx_lua_static cctx_python_static)
  if(TARGET ${target})
    list(APPEND targets ${target})
  endif()
endforeach()
if(TARGET cctx_extras)
  list(APPEND targets cctx_extras)
  list(APPEND headers extras/include/)
  list(APPEND packages cctx-extras)
endif()

# set_install_rpath(TARGET DIRECTORY): TARGET, in DIRECTORY, finds the library that was
# installed with it.
function(set_install_rpath target directory)
  way_from("${directory}" ${CMAKE_INSTALL_LIBDIR} way)
  if(NOT IS_ABSOLUTE "${way}")
    set(way "$ORIGIN/${way}")
  endif()
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${way}"
                        INSTALL_RPATH_USE_LINK_PATH ON)
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

foreach(lua ${LUA} ${LUA_ALSO})
  set(target lua_cctx.${lua})
  if(lua STREQUAL LUA)
    set(target lua_cctx)
  endif()
  if(TARGET ${target})
    string(REPLACE lua_cctx lua_preflight preflight ${target})
    set(modules ${LUA_${lua}_MODULES})
    set_install_rpath(${preflight} ${modules})
    set_install_rpath(${target} ${modules}/cctx)
    install(TARGETS ${preflight} LIBRARY DESTINATION ${modules} COMPONENT lua)
    install(TARGETS ${target} LIBRARY DESTINATION ${modules}/cctx COMPONENT lua)
  endif()
endforeach()
if(TARGET lua_cctx)
  file(GLOB definitions bindings/lua/meta/*.lua)
  install(FILES ${definitions}
          DESTINATION ${CMAKE_INSTALL_DATADIR}/cctx/lua COMPONENT lua)
endif()
if(TARGET cctx_preload) # named by its path, in LD_PRELOAD
  install(TARGETS cctx_preload LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/cctx
          COMPONENT program)
endif()
if(TARGET cctx_host)
  set_install_rpath(cctx_host ${CMAKE_INSTALL_BINDIR})
  install(TARGETS cctx_host RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(FILES docs/cctx.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()
if(TARGET cctx_host AND TARGET py__cctx AND CCTX_PYTHON_MODULES)
  set(package ${CCTX_PYTHON_MODULES}/cctx)
  set_install_rpath(py__cctx ${package})
  way_from(${package} "${CMAKE_INSTALL_INCLUDEDIR}" include)
  way_from(${package} "${CMAKE_INSTALL_LIBDIR}" library)
  configure_file(cmake/_system.py.in ${PROJECT_BINARY_DIR}/_system.py @ONLY)
  file(GLOB files CONFIGURE_DEPENDS bindings/python/cctx/*.py bindings/python/cctx/*.pyi)
  list(FILTER files EXCLUDE REGEX /_system.py$) # of a build in place
  install(TARGETS py__cctx LIBRARY DESTINATION ${package} COMPONENT program)
  install(FILES ${files} bindings/python/cctx/py.typed ${PROJECT_BINARY_DIR}/_system.py
          DESTINATION ${package} COMPONENT program)
  install(FILES host/cctx_fetch.pyi DESTINATION ${CCTX_PYTHON_MODULES} COMPONENT program)
  file(GLOB files CONFIGURE_DEPENDS bindings/python/cctx/contrib/*.py)
  install(FILES ${files} DESTINATION ${package}/contrib COMPONENT program)
endif()

if(NOT outer)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DBINARY=${PROJECT_BINARY_DIR}
                    -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake)
endif()
