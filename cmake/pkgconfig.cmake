# SPDX-License-Identifier: Apache-2.0
# Runs when the project is installed, since only then the prefix is known: writes
# each of PACKAGES from its .pc.in in SOURCE, by way of BINARY, for LIBDIR and INCLUDEDIR.
set(prefix "${CMAKE_INSTALL_PREFIX}")
get_filename_component(to "${LIBDIR}/pkgconfig" ABSOLUTE BASE_DIR "${prefix}")
foreach(name libdir includedir) # said by way of the prefix, which --define-prefix replaces
  string(TOUPPER ${name} given)
  if(IS_ABSOLUTE "${${given}}")
    set(${name} "${${given}}")
  else()
    set(${name} "\${prefix}/${${given}}")
  endif()
endforeach()
foreach(name ${PACKAGES})
  configure_file("${SOURCE}/${name}.pc.in" "${BINARY}/${name}.pc" @ONLY)
  file(INSTALL DESTINATION "${to}" TYPE FILE FILES "${BINARY}/${name}.pc")
endforeach()
