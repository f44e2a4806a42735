# The compiled guest is two files whose names hold a hash; a build rule can name
# only the header that names them.
function(template_present folder result)
  set(${result} FALSE PARENT_SCOPE)
  # Makes the build look here again whenever files came or went.
  file(GLOB files CONFIGURE_DEPENDS ${folder}/guest-*.cwasm ${folder}/guest-*.image)
  if(EXISTS ${folder}/template_name.h)
    file(STRINGS ${folder}/template_name.h line REGEX "define TEMPLATE_NAME ")
    string(REGEX MATCH "guest-[0-9a-f]+" name "${line}")
    if("${folder}/${name}.cwasm" IN_LIST files AND "${folder}/${name}.image" IN_LIST files)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

# Lets the rule that makes FOLDER/template_name.h run again if a file is missing.
function(template_check folder)
  template_present(${folder} present)
  if(NOT present)
    file(REMOVE ${folder}/template_name.h)
  endif()
endfunction()
