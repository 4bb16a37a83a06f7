// Types of attachments that a browser shows without running anything in them. SVG, XML and HTML are not among them:
// opened, they would act as whoever opens them. `charset` is the only parameter, so that nothing else can be in a type.
var ALLOWED_TYPES =
  '^(?:image/(?:jpeg|png|gif|webp|avif|bmp|tiff|heic|heif|x-[a-z0-9.-]+)|(?:video|audio)/[a-z0-9.-]+' +
  '|text/(?:plain|csv|markdown)|application/(?:pdf|epub[+]zip|zip|ogg|octet-stream))(?:; ?charset=[a-z0-9-]+)?$';
