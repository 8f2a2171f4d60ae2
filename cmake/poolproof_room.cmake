# poolproof_room(NAME USES lib...): one room of the house is one static library.
#
# Every x.cpp of the folder belongs to the library `poolproof_NAME`; every x_test.cpp and x_prop.cpp
# to its test program `NAME_tests`, whose cases become ctest tests. Files that are programs
# of their own are named after PROGRAMS and left out of the library.
function(poolproof_room name)
  cmake_parse_arguments(ROOM "" "" "USES;TEST_USES;PROGRAMS" ${ARGN})
  file(GLOB all CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  set(sources)
  set(tests)
  foreach(file IN LISTS all)
    get_filename_component(base "${file}" NAME_WE)
    if(base MATCHES "_(test|prop)$")
      list(APPEND tests "${file}")
    elseif(NOT base MATCHES "_bench$" AND NOT base IN_LIST ROOM_PROGRAMS)
      list(APPEND sources "${file}")
    endif()
  endforeach()

  if(sources)
    add_library(poolproof_${name} STATIC ${sources})
    target_include_directories(poolproof_${name} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
    target_link_libraries(poolproof_${name} PUBLIC ${ROOM_USES})
    poolproof_strict(poolproof_${name})
  else()
    add_library(poolproof_${name} INTERFACE)
    target_include_directories(poolproof_${name} INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
    target_link_libraries(poolproof_${name} INTERFACE ${ROOM_USES})
  endif()

  if(tests AND POOLPROOF_TESTING)
    add_executable(${name}_tests ${tests})
    target_link_libraries(${name}_tests PRIVATE poolproof_${name} ${ROOM_TEST_USES} Catch2::Catch2WithMain)
    poolproof_strict(${name}_tests)
    poolproof_discover(${name}_tests ${name})
  endif()
endfunction()

# Language level and warnings, the same for all of our own code and for nobody else's.
function(poolproof_strict target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(POOLPROOF_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# Each Catch2 case becomes one ctest test, labelled with its room. With a sanitizer the longest take
# ten times as long.
function(poolproof_discover target room)
  set(timeout 120)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set(timeout 900)
  endif()
  catch_discover_tests(${target} TEST_PREFIX "" PROPERTIES LABELS "${room}" TIMEOUT ${timeout})
endfunction()
