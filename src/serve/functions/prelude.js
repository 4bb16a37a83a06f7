// What surrounds the functions of a design document: the names that CouchDB gives them, CommonJS modules, and the calls
// that come from the endpoint. It runs in a realm of its own; each function lives in another one (a "sandbox"), so that,
// as in CouchDB, `doc.tags instanceof Array` is false and only `isArray` tells. The last value is an object of calls;
// texts go in and out. What a call throws is told as `{error, reason, fatal}`.
(function (toScript, nextRow, writeLog) {
  "use strict";
  const { parse, stringify } = JSON;
  const hasOwn = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

  // --- what is thrown ---------------------------------------------------------------------------------------------

  const raise = (error, reason) => { throw ["error", error, reason]; };

  const isError = (value) => typeof value === "object" && value !== null
    && "stack" in value && "name" in value && "message" in value;

  // The engine's own limits: CouchDB's process dies of them.
  const isExhaustion = (value) => isError(value)
    && ((value.name === "InternalError" && /out of memory|stack overflow|interrupted/.test(value.message))
      || (value.name === "RangeError" && /call stack/.test(value.message)));

  function quote(text) {
    return stringify(text).replace(/[\u007f-\uffff]/g, (character) => {
      const code = character.charCodeAt(0).toString(16).toUpperCase();
      return code.length < 3 ? "\\x" + code : "\\u" + code.padStart(4, "0");
    });
  }

  const lineOf = (error) => {
    const found = /:(\d+)(?::\d+)?\)?\s*(?:\n|$)/.exec(String(error.stack));
    return found ? found[1] : "1";
  };

  // The form in which SpiderMonkey writes a value down as source.
  function source(value, depth) {
    if (value === null || value === undefined) return String(value);
    const inner = depth > 0;
    if (isError(value)) return `(new ${value.name}(${quote(String(value.message))}, "<unknown>", ${lineOf(value)}))`;
    switch (typeof value) {
      case "string": return inner ? quote(value) : `(new String(${quote(value)}))`;
      case "number": return inner ? String(value) : `(new Number(${value}))`;
      case "boolean": return inner ? String(value) : `(new Boolean(${value}))`;
      case "function": return inner ? String(value) : `(${value})`;
      case "object": break;
      default: return String(value);
    }
    if (depth > 20) return "{}";
    if (isArray(value)) return "[" + value.map((item) => source(item, depth + 1)).join(", ") + "]";
    const members = Object.keys(value).map((key) => {
      const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : "'" + quote(key).slice(1, -1) + "'";
      return name + ":" + source(value[key], depth + 1);
    });
    return inner ? `{${members.join(", ")}}` : `({${members.join(", ")}})`;
  }
  const describe = (value) => source(value, 0);

  const frames = (error) => {
    if (typeof error.stack !== "string") return String(error.stack);
    return error.stack.replace(/^\s*at (?:(.*?) \()?(.*?)\)?$/gm,
      (_, name, place) => (name && !/^</.test(name) ? name : "") + "@" + place.replace(/^.*?:(?=\d)/, "<unknown>:"));
  };

  // Without memory for an error the engine throws null; whether it did, or the function, the endpoint has to tell.
  const nothing = { nothing: true };
  const refuseNothing = (thrown) => { if (thrown === null) throw nothing; };

  // What is answered for something that was thrown.
  function verdict(thrown) {
    if (thrown === undefined) return { error: "TypeError", reason: {}, fatal: false };
    if (isExhaustion(thrown)) {
      const status = /memory/.test(thrown.message) ? 1 : 139;
      return { error: "os_process_error", reason: `{exit_status,${status}}`, fatal: true };
    }
    if (thrown[0] === "fatal" || thrown[0] === "error") {
      return { error: thrown[1], reason: thrown[2], fatal: thrown[0] === "fatal" };
    }
    if (thrown.name === "InternalError") return { error: thrown.name, reason: thrown.message, fatal: true };
    if (thrown.error && thrown.reason) return { error: thrown.error, reason: thrown.reason, fatal: false };
    if (thrown.name) return { error: thrown.name, reason: thrown, fatal: false };
    return { error: "unnamed_error", reason: describe(thrown), fatal: false };
  }

  // --- what functions find ------------------------------------------------------------------------------------------

  const tag = Object.prototype.toString;
  function isArray(value) { return tag.call(value) === "[object Array]"; }

  const withoutErrors = (value) => isError(value) ? { error: value.name, message: value.message } : value;

  function log(message) {
    const text = String(typeof message === "string" ? message : stringify(withoutErrors(message)));
    // Halves of characters are nothing that the endpoint can take.
    writeLog(text.replace(/[\ud800-\udfff]/gu, "\ufffd"));
  }

  let emitted = [];
  function emit(key, value) { emitted.push([key, withoutErrors(value)]); }

  let hasEmitted = false;
  function noteEmit() { hasEmitted = true; }

  function sum(values) {
    let total = 0;
    for (const index in values) total += values[index];
    return total;
  }

  // --- types of content ---------------------------------------------------------------------------------------------

  const typesOf = {};
  const keyOf = {};
  function registerType(key, ...types) {
    typesOf[key] = types;
    for (const type of types) keyOf[type] = key;
  }
  [
    ["all", "*/*"],
    ["text", "text/plain; charset=utf-8", "txt"],
    ["html", "text/html; charset=utf-8"],
    ["xhtml", "application/xhtml+xml", "xhtml"],
    ["xml", "application/xml", "text/xml", "application/x-xml"],
    ["js", "text/javascript", "application/javascript", "application/x-javascript"],
    ["css", "text/css"],
    ["ics", "text/calendar"],
    ["csv", "text/csv"],
    ["rss", "application/rss+xml"],
    ["atom", "application/atom+xml"],
    ["yaml", "application/x-yaml", "text/yaml"],
    ["multipart_form", "multipart/form-data"],
    ["url_encoded_form", "application/x-www-form-urlencoded"],
    ["json", "application/json", "text/x-json"],
  ].forEach((entry) => registerType(...entry));

  function mediaType(text) {
    const parts = text.split(";");
    const parameters = {};
    for (const part of parts) {
      const [name, value, ...more] = part.split("=");
      if (value !== undefined && more.length === 0) parameters[name.trim()] = value.trim();
    }
    const full = parts[0].trim();
    const [type, subtype] = (full === "*" ? "*/*" : full).split("/");
    return { type, subtype, parameters };
  }

  function mediaRange(text) {
    const range = mediaType(text);
    const quality = parseFloat(range.parameters.q);
    if (!(quality >= 0 && quality <= 1)) range.parameters.q = "1";
    return range;
  }

  // How well an offered type fits the best of the accepted ranges, and the quality of that range.
  function fitness(offer, ranges) {
    const target = mediaRange(offer);
    let best = -1;
    let quality = 0;
    for (const range of ranges) {
      const fits = (left, right) => left === right || left === "*" || right === "*";
      if (!fits(range.type, target.type) || !fits(range.subtype, target.subtype)) continue;
      let score = (range.type === target.type ? 100 : 0) + (range.subtype === target.subtype ? 10 : 0);
      for (const name in target.parameters) {
        const wanted = range.parameters[name];
        if (name !== "q" && wanted && wanted === target.parameters[name]) score += 1;
      }
      if (score > best) {
        best = score;
        quality = range.parameters.q;
      }
    }
    return [best, parseFloat(quality)];
  }

  function bestMatch(offers, accept) {
    const ranges = accept.split(",").map(mediaRange);
    // CouchDB compares the weights as texts, so that "10" comes before "110" and both before "20".
    const weighted = offers.map((offer, index) => [fitness(offer, ranges), index, offer]);
    weighted.sort((left, right) => (String(left) < String(right) ? -1 : 1));
    const [weight, , offer] = weighted[weighted.length - 1];
    return weight[1] ? offer : "";
  }

  let offers = [];
  let usesProvides = false;
  let contentType = null;

  function provides(type, render) {
    usesProvides = true;
    offers.push([type, render]);
  }

  function resetProvides() {
    offers = [];
    usesProvides = false;
    contentType = null;
  }

  function runProvided(request, design) {
    const accept = request.headers.Accept;
    let key;
    if (request.query && request.query.format) {
      key = request.query.format;
      contentType = typesOf[key][0];
    } else if (accept) {
      offers.reverse();
      const known = offers.filter(([type]) => typesOf[type]);
      contentType = bestMatch(known.flatMap(([type]) => typesOf[type]), accept);
      key = keyOf[contentType];
    } else {
      key = offers[0][0];
      contentType = typesOf[key][0];
    }
    const chosen = key && offers.find(([type]) => type === key);
    if (chosen) return chosen[1].call(design);
    const supported = offers.map(([type]) => typesOf[type].join(", ") || type);
    raise("not_acceptable", `Content-Type ${accept || key} not supported, try one of: ${supported.join(", ")}`);
  }

  // --- what is sent -------------------------------------------------------------------------------------------------

  let chunks = [];
  let head = {};
  let hasHead = false;
  let isStarted = false;
  let isAtEnd = false;

  function resetSending() {
    chunks = [];
    head = {};
    hasHead = false;
    isStarted = false;
    isAtEnd = false;
  }

  function start(response) {
    head = response || {};
    hasHead = true;
  }

  function send(chunk) { chunks.push(chunk.toString()); }

  function withType(response) {
    response.headers = response.headers || {};
    if (contentType) response.headers["Content-Type"] = response.headers["Content-Type"] || contentType;
    return response;
  }

  // What has gathered since the last time, as the endpoint takes it.
  function gathered() {
    const message = { chunks };
    if (!isStarted) {
      message.head = withType(head || {});
      isStarted = true;
    } else if (hasHead) {
      message.head = head;
    }
    chunks = [];
    head = {};
    hasHead = false;
    return stringify(message);
  }

  function getRow() {
    if (isAtEnd) return null;
    const row = nextRow(gathered());
    if (row === "") {
      isAtEnd = true;
      return null;
    }
    return parse(row);
  }

  // --- functions and modules ----------------------------------------------------------------------------------------

  let spare = null;

  // Thrown before anything has happened: the endpoint adds a sandbox and calls again.
  const wanting = { sandbox: true };

  function takeSandbox(ours) {
    if (!spare) throw wanting;
    const sandbox = spare;
    spare = null;
    return Object.assign(sandbox.realm, {
      sum, log, toJSON: stringify, JSON, provides, registerType, start, send, getRow, isArray,
    }, ours) && sandbox;
  }

  // A step of the way from one module to another; `at` is `{value, parent, id}`.
  function step(at, name, root) {
    if (name === "..") {
      if (!(at.parent && at.parent.parent)) raise("invalid_require_path", "Object has no parent " + stringify(at.value));
      return { value: at.parent.value, parent: at.parent.parent, id: at.id.slice(0, at.id.lastIndexOf("/")) };
    }
    if (name === ".") {
      if (!at.parent) raise("invalid_require_path", "Object has no parent " + stringify(at.value));
      return at;
    }
    const from = root ? { value: root } : at;
    const found = from.value[name];
    if (found === undefined) {
      raise("invalid_require_path", `Object has no property "${name}". ${stringify(from.value)}`);
    }
    return { value: found, parent: from, id: from.id ? from.id + "/" + name : name };
  }

  function resolve(path, from, root) {
    let at = from;
    let base = root;
    for (const name of path.split("/")) {
      at = step(at, name, base);
      // A path that begins with a dot stays relative.
      base = undefined;
    }
    if (typeof at.value !== "string") {
      raise("invalid_require_path", "Must require a JavaScript string, not: " + typeof at.value);
    }
    return at;
  }

  function requirer(design, sandbox) {
    const known = design._module_cache;
    function load(path, from) {
      const place = resolve(path, from, design);
      if (hasOwn(known, place.id)) return known[place.id];
      // Modules that require each other in a circle find each other empty.
      known[place.id] = {};
      const module = { current: place.value, parent: place.parent, id: place.id, exports: {} };
      try {
        const body = sandbox.run(`(function (module, exports, require) { ${place.value}\n });`);
        body.call(sandbox.realm, module, module.exports, (inner) => load(inner, place.parent));
      } catch (thrown) {
        refuseNothing(thrown);
        if (isExhaustion(thrown)) throw thrown;
        raise("compilation_error", `Module require('${path}') raised error ${describe(thrown)}`);
      }
      known[place.id] = module.exports;
      return module.exports;
    }
    return (path) => load(path, undefined);
  }

  // CouchDB's parser is Esprima, and its errors are told as SpiderMonkey writes them down.
  const unreadable = (told) => `(new Error(${quote(told)}, "./share/server/main.js", ${told.match(/\d+/)[0]}))`;

  function inEsprimasWords(message) {
    const token = /unexpected token.*?'(.*)'$/i.exec(message);
    if (!token) return message;
    if (token[1] === "" ) return "Unexpected end of input";
    if (/^["']/.test(token[1])) return "Unexpected string";
    if (/^\d/.test(token[1])) return "Unexpected number";
    return "Unexpected token " + token[1];
  }

  function compile(text, design, ours) {
    if (!text) raise("not_found", "missing function");
    const sandbox = takeSandbox(ours);
    if (design) {
      if (!design._module_cache) design._module_cache = {};
      sandbox.realm.require = requirer(design, sandbox);
    }
    let value;
    try {
      if (typeof text !== "string") throw new TypeError("this.source.charCodeAt is not a function");
      const script = toScript(text);
      if (script[0] === "!") raise("compilation_error", `${unreadable(script.slice(1))} (${text})`);
      value = sandbox.run(script.slice(1));
    } catch (thrown) {
      refuseNothing(thrown);
      if (thrown[0] === "error" || (isExhaustion(thrown) && thrown.name === "InternalError")) throw thrown;
      const told = isError(thrown) && thrown.name === "SyntaxError"
        ? unreadable(`Line ${lineOf(thrown)}: ${inEsprimasWords(thrown.message)}`)
        : describe(thrown);
      raise("compilation_error", `${told} (${text})`);
    }
    if (typeof value !== "function") {
      raise("compilation_error", `Expression does not eval to a function. (${text})`);
    }
    return value;
  }

  // --- the calls ----------------------------------------------------------------------------------------------------

  let design = null;
  let maps = [];
  let mapSources = [];
  let library = null;
  let reducer = null;
  let escapes = 0;

  function member(path, ours) {
    let point = design;
    for (const name of path.slice(0, -1)) point = point[name];
    const last = path[path.length - 1];
    const found = point[last];
    if (!found) raise("not_found", `missing ${path[0]} function ${last} on design doc ${design._id}`);
    if (typeof found === "function") return found;
    const compiled = compile(found, design, ours);
    point[last] = compiled;
    return compiled;
  }

  function freeze(value) {
    Object.freeze(value);
    for (const key in value) {
      const inner = value[key];
      if (typeof inner === "object" && inner !== null) freeze(inner);
    }
  }

  // CouchDB passes over what a view's function throws, unless it says that it is fatal.
  function passOver(thrown, doc) {
    refuseNothing(thrown);
    if (thrown === "fatal_error") raise("map_runtime_error", "function raised 'fatal_error'");
    if (isExhaustion(thrown) || thrown[0] === "fatal" || thrown.name === "InternalError") throw thrown;
    log("function raised exception " + describe(thrown) + (doc ? " with doc._id " + doc._id : ""));
  }

  function render(thrown, word) {
    refuseNothing(thrown);
    if (isExhaustion(thrown)) throw thrown;
    if ((thrown.error && thrown.reason) || thrown[0] === "error" || thrown[0] === "fatal") throw thrown;
    const told = `function raised error: ${describe(thrown)} \nstacktrace: ${frames(thrown)}`;
    log(told);
    raise(word, told);
  }

  const wrapped = (response) => (typeof response === "string" ? { body: response } : response);
  const isResponse = (value) => typeof value === "string"
    || (typeof value === "object" && value !== null && !(value instanceof Array));

  function showing(show, args) {
    resetSending();
    resetProvides();
    let response = wrapped(show.apply(design, args) || {});
    if (chunks.length) {
      response.headers = Object.assign(response.headers || {}, head);
      response.body = chunks.join("") + (response.body || "");
      resetSending();
    }
    if (usesProvides) {
      const provided = wrapped(runProvided(args[1], design) || {});
      response.body = (response.body || "") + chunks.join("") + (provided.body || "");
      response = withType(response);
      resetSending();
    }
    if (!isResponse(response)) raise("render_error", "undefined response from show function");
    return stringify(wrapped(response));
  }

  const calls = {
    sandbox(realm) { spare = { realm, run: realm.eval }; },

    design(text) { design = parse(text); },

    mapping(text) { ({ functions: mapSources, library } = parse(text)); },

    compileMaps() {
      while (maps.length < mapSources.length) {
        maps.push(compile(mapSources[maps.length], { views: { lib: library } }, { emit }));
      }
    },

    // All that was emitted: `key \n value \n` for each pair, a tab behind each function. JSON holds neither as it is.
    map(text) {
      const doc = parse(text);
      freeze(doc);
      const all = [];
      for (const map of maps) {
        emitted = [];
        try {
          map(doc);
          all.push(emitted);
        } catch (thrown) {
          passOver(thrown, doc);
          all.push([]);
        }
      }
      let out = "";
      for (const pairs of all) {
        for (const [key, value] of pairs) {
          out += (stringify(key) || "null") + "\n" + (stringify(value) || "null") + "\n";
        }
        out += "\t";
      }
      return out;
    },

    compileReduce(text) {
      reducer = compile(text, null, { emit });
      // CouchDB takes the length of the function from that of its line, but not what escapes it there.
      escapes = stringify(text).length - 2 - text.length;
    },

    reduce(keys, values, asked) {
      const inputLength = +asked + escapes;
      const isAgain = keys === "";
      let result;
      try {
        result = reducer(isAgain ? null : parse(keys), parse(values), isAgain);
      } catch (thrown) {
        passOver(thrown);
        result = null;
      }
      const text = stringify([result]);
      if (text.length > 4096 && text.length * 2 > inputLength) {
        const sizes = `input size: ${inputLength} output size: ${text.length}`;
        return stringify({ reduce_overflow_error: "Reduce output must shrink more rapidly: " + sizes });
      }
      return text.slice(1, -1);
    },

    // Nothing for a consent, else what was thrown or returned.
    validate(args) {
      const check = member(["validate_doc_update"], { emit });
      try {
        check.apply(design, parse(args));
      } catch (thrown) {
        refuseNothing(thrown);
        if (thrown.name && thrown.stack) throw thrown;
        return stringify(thrown);
      }
      return "1";
    },

    compileFilter(name) { member(["filters", name], { emit }); },
    filter(name, text, request) {
      return design.filters[name].call(design, parse(text), parse(request)) ? "1" : "";
    },

    compileViewFilter(view) { member(["views", view, "map"], { emit: noteEmit }); },
    filterByView(view, text) {
      hasEmitted = false;
      const map = design.views[view].map;
      map(parse(text));
      return hasEmitted ? "1" : "";
    },

    show(name, text) {
      const show = member(["shows", name], { emit });
      const args = parse(text);
      try {
        return showing(show, args);
      } catch (thrown) {
        refuseNothing(thrown);
        if (isExhaustion(thrown)) throw thrown;
        if (args[0] === null && args[1].path.length > 5) raise("not_found", "document not found");
        return render(thrown, "render_error");
      }
    },

    update(name, text) {
      const update = member(["updates", name], { emit });
      const args = parse(text);
      try {
        if (args[1].method === "GET") raise("method_not_allowed", "Update functions do not allow GET");
        const result = update.apply(design, args);
        const [doc, response] = [result[0], result[1]];
        if (!isResponse(response)) raise("render_error", "undefined response from update function");
        const isWritten = typeof doc === "object" && doc !== null && !isArray(doc);
        return stringify({ document: isWritten ? stringify(doc) : null, response: stringify(wrapped(response)) });
      } catch (thrown) {
        return render(thrown, "render_error");
      }
    },

    list(name, text) {
      const list = member(["lists", name], { emit });
      const args = parse(text);
      try {
        resetProvides();
        resetSending();
        let tail = list.apply(design, args);
        if (usesProvides) tail = runProvided(args[1], design);
        if (!isStarted) getRow();
        if (tail !== undefined) chunks.push(tail);
        return gathered();
      } catch (thrown) {
        return render(thrown, "render_error");
      }
    },

    // The text of the result, nothing for none.
    rewrite(text) {
      const rewrite = member(["rewrites"], { emit });
      const args = parse(text);
      let result;
      try {
        result = rewrite.apply(design, args);
      } catch (thrown) {
        return render(thrown, "rewrite_error");
      }
      if (!result) return "";
      return stringify(typeof result === "string" ? { path: result, method: args[0].method } : result) || "null";
    },

    // Whether a text leaves a function behind.
    check(text) { compile(text, null, { emit }); },
  };

  Object.freeze(JSON);

  // Every call tells how it went by its first character: `=` and a result, `!` and a verdict, `0` when null
  // was thrown, `+` for another sandbox.
  return function (name, ...args) {
    try {
      const result = calls[name](...args);
      return "=" + (result === undefined ? "" : result);
    } catch (thrown) {
      if (thrown === wanting) return "+";
      if (thrown === nothing || thrown === null) return "0";
      const told = verdict(thrown);
      return "!" + stringify([String(told.error), told.reason === undefined ? null : told.reason, told.fatal]);
    }
  };
})
