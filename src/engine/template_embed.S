/* The compiled guest and its image, as read-only data of the library. */
    .section .rodata
    .global template_code, template_code_end, template_image, template_image_end
    .hidden template_code, template_code_end, template_image, template_image_end
    .balign 4096
template_code:
    .incbin TEMPLATE_CODE
template_code_end:
    .balign 4096
template_image:
    .incbin TEMPLATE_IMAGE
template_image_end:
    .section .note.GNU-stack, "", @progbits
