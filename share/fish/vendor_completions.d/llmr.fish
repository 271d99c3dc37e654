# fish completion for llmr, made by `llmr completion fish`. Do not edit.

function __llmr_names # the lines of ~/.cache/llmr/names/FILE
    set -l cache $XDG_CACHE_HOME
    test -n "$cache"; or set cache $HOME/.cache
    test -r $cache/llmr/names/$argv[1]; and while read -l line
        echo $line
    end <$cache/llmr/names/$argv[1]
end

function __llmr_templates # the files in ~/.config/llmr/templates, without .toml
    set -l config $XDG_CONFIG_HOME
    test -n "$config"; or set config $HOME/.config
    for file in $config/llmr/templates/*.toml
        string replace -r '.*/(.*)\.toml$' '$1' -- $file
    end
end

function __llmr_models # names first; a provider's models once its slash is there
    if string match -q '*/*' -- (commandline -ct)
        __llmr_names models
    else
        __llmr_names models | string match -v '*/*'
        __llmr_names providers | string replace -r '$' /
    end
end

function __llmr_at # whether the commands typed so far are exactly these
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case ' chat' ' rank' ' explain' ' simulate' ' providers' ' providers status' ' providers list' ' providers reset' ' providers open' ' providers close' ' providers probe' ' stats' ' cache' ' cache stats' ' cache purge' ' models' ' models list' ' models refresh' ' keys' ' keys set' ' keys list' ' keys rm' ' keys import' ' keys test' ' serve' ' config' ' config path' ' config check' ' config trust' ' config show' ' config init' ' config edit' ' config schema' ' log' ' log list' ' log show' ' log export' ' log purge' ' templates' ' templates list' ' templates show' ' templates save' ' templates edit' ' templates rm' ' doctor' ' completion' ' man' ' help'
                set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end

complete -c llmr -f

complete -c llmr -n '__llmr_at \'\'' -a chat -d 'Ask'
complete -c llmr -n '__llmr_at \'\'' -a rank -d 'Show the order that chat would use now: every term of every score, and who is not asked and why'
complete -c llmr -n '__llmr_at \'\'' -a explain -d 'Tell one request\'s story: the decision, each attempt with its outcome, waits, costs, what would have flipped it'
complete -c llmr -n '__llmr_at \'\'' -a simulate -d 'Try your routing.toml on a bad day: the real ranking, fallback, circuits, limits and budgets under virtual time, beside what others do'
complete -c llmr -n '__llmr_at \'\'' -a providers -d 'See how the providers are, and hold their circuits by hand'
complete -c llmr -n '__llmr_at \'\'' -a stats -d 'Latency, success, tokens and spend over time, from the history of all llmr processes on this machine'
complete -c llmr -n '__llmr_at \'\'' -a cache -d 'The answer cache: stats, purge'
complete -c llmr -n '__llmr_at \'\'' -a models -d 'List models with their windows, capabilities and prices'
complete -c llmr -n '__llmr_at \'\'' -a keys -d 'Keep keys in the keyring or a private file; see where each comes from; try them'
complete -c llmr -n '__llmr_at \'\'' -a serve -d 'Serve the router to every tool that takes a base URL: OpenAI\'s chat completions and Anthropic\'s messages'
complete -c llmr -n '__llmr_at \'\'' -a config -d 'Write, see, check and trust configuration files'
complete -c llmr -n '__llmr_at \'\'' -a log -d 'Conversations that were kept: list, search, show, export, purge'
complete -c llmr -n '__llmr_at \'\'' -a templates -d 'Your own ways of asking, for `llmr chat -t NAME`: TOML files with a prompt, a system prompt, a model and $places'
complete -c llmr -n '__llmr_at \'\'' -a doctor -d 'Look over versions, settings, keys, files and their modes, state, clock, network and terminal'
complete -c llmr -n '__llmr_at \'\'' -a completion -d 'Print the completion script for a shell'
complete -c llmr -n '__llmr_at \'\'' -a man -d 'Print the manual page, as roff: llmr man | man -l -'
complete -c llmr -n '__llmr_at \'\'' -a help -d 'Explain exit codes, the JSON output, the environment variables and the worlds of `llmr simulate`, or a command'
complete -c llmr -n '__llmr_at \'\'' -l version -d 'Show the version'
complete -c llmr -n '__llmr_at \'\'' -l no-pager -d 'Show long views at once, not a screen at a time'
complete -c llmr -n '__llmr_at \'\'' -l env-file -r -d 'Take …_API_KEY and a few LLMR_ settings from this file; none is read unasked'
complete -c llmr -n '__llmr_at \'\'' -l env-file -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l model -s m -x -d 'A name from routing.toml, or provider/model-id'
complete -c llmr -n '__llmr_at \' chat\'' -l model -s m -x -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' chat\'' -l provider -s p -x -d 'Ask only this provider'
complete -c llmr -n '__llmr_at \' chat\'' -l provider -s p -x -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' chat\'' -l strategy -x -d 'priority, cost, latency, balanced, quality, round_robin or weighted'
complete -c llmr -n '__llmr_at \' chat\'' -l strategy -x -a 'priority cost latency balanced quality round_robin weighted'
complete -c llmr -n '__llmr_at \' chat\'' -l on-break -x -d 'When the answer breaks off: fail, restart, continue or buffer'
complete -c llmr -n '__llmr_at \' chat\'' -l on-break -x -a 'fail restart continue buffer'
complete -c llmr -n '__llmr_at \' chat\'' -l no-hedge -l hedge -d 'Ask a second candidate when the first is late'
complete -c llmr -n '__llmr_at \' chat\'' -l system -s s -x -d 'Instructions to the model'
complete -c llmr -n '__llmr_at \' chat\'' -l attach -s a -r -d 'Send a file along: image, PDF, sound, text; `-`: stdin'
complete -c llmr -n '__llmr_at \' chat\'' -l attach -s a -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l no-attach-urls -l attach-urls -d 'Let -a name URLs, which the provider fetches'
complete -c llmr -n '__llmr_at \' chat\'' -l prompt-file -r -d 'Read the prompt from a file'
complete -c llmr -n '__llmr_at \' chat\'' -l prompt-file -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l edit -d 'Write the prompt in your editor'
complete -c llmr -n '__llmr_at \' chat\'' -l template -s t -x -d 'Ask as a template of yours says'
complete -c llmr -n '__llmr_at \' chat\'' -l template -s t -x -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' chat\'' -l parameter -s P -x -d 'Fill a place of the template'
complete -c llmr -n '__llmr_at \' chat\'' -l continue -s c -d 'Go on with the last conversation of this terminal'
complete -c llmr -n '__llmr_at \' chat\'' -l conversation -x -d 'Go on with this conversation; `last`: the newest of all'
complete -c llmr -n '__llmr_at \' chat\'' -l conversation -x -k -a '(__llmr_names conversations)'
complete -c llmr -n '__llmr_at \' chat\'' -l no-save -l save -d 'Keep this turn in `llmr log`, or not'
complete -c llmr -n '__llmr_at \' chat\'' -l cache -d 'The answer that was given to the same before, if there is one; keep this one'
complete -c llmr -n '__llmr_at \' chat\'' -l no-stream -d 'Ask for the answer in one piece'
complete -c llmr -n '__llmr_at \' chat\'' -l json -d 'Write one JSON document, failures included'
complete -c llmr -n '__llmr_at \' chat\'' -l jsonl -d 'Write a line of JSON per event, as it happens'
complete -c llmr -n '__llmr_at \' chat\'' -l extract -s x -d 'Only the first code block of the answer'
complete -c llmr -n '__llmr_at \' chat\'' -l out -s o -r -d 'Write the answer to FILE, whole or not at all; `-`: stdout'
complete -c llmr -n '__llmr_at \' chat\'' -l out -s o -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l copy -d 'Copy the answer to the terminal\'s clipboard too'
complete -c llmr -n '__llmr_at \' chat\'' -l schema -r -d 'JSON that meets this schema; who does not is passed over'
complete -c llmr -n '__llmr_at \' chat\'' -l schema -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l compare -x -d 'Ask these models at once, answers side by side; code 0 if any is whole'
complete -c llmr -n '__llmr_at \' chat\'' -l compare -x -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' chat\'' -l n -x -d 'Ask the same one so many times at once'
complete -c llmr -n '__llmr_at \' chat\'' -l raw -d 'On a terminal: the text as it came, no Markdown drawn'
complete -c llmr -n '__llmr_at \' chat\'' -l color -x -d 'auto, always (Markdown in a pipe too) or never'
complete -c llmr -n '__llmr_at \' chat\'' -l color -x -a 'auto always never'
complete -c llmr -n '__llmr_at \' chat\'' -l safe-output -x -d 'Make control characters visible: auto (on a terminal), always or never'
complete -c llmr -n '__llmr_at \' chat\'' -l safe-output -x -a 'auto always never'
complete -c llmr -n '__llmr_at \' chat\'' -l max-tokens -x -d 'The longest answer, in tokens'
complete -c llmr -n '__llmr_at \' chat\'' -l temperature -x -d 'The provider\'s own scale'
complete -c llmr -n '__llmr_at \' chat\'' -l tag -x -d 'A tag for rules to match, plain or key=value; may be repeated'
complete -c llmr -n '__llmr_at \' chat\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' chat\'' -l config -r -F
complete -c llmr -n '__llmr_at \' chat\'' -l demo -d 'Ask three demo providers inside llmr: no key, no network'
complete -c llmr -n '__llmr_at \' chat\'' -l debug -d 'What goes over the wire on stderr, without keys; implies --raw'
complete -c llmr -n '__llmr_at \' chat\'' -l quiet -s q -d 'Only errors on stderr; twice: nothing at all'
complete -c llmr -n '__llmr_at \' chat\'' -l verbose -s v -d 'The receipt on stderr; twice: the decision too'
complete -c llmr -n '__llmr_at \' rank\'' -l model -s m -x -d 'A name from routing.toml, or provider/model-id'
complete -c llmr -n '__llmr_at \' rank\'' -l model -s m -x -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' rank\'' -l provider -s p -x -d 'Only this provider'
complete -c llmr -n '__llmr_at \' rank\'' -l provider -s p -x -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' rank\'' -l strategy -x -d 'Another strategy than the configured one'
complete -c llmr -n '__llmr_at \' rank\'' -l strategy -x -a 'priority cost latency balanced quality round_robin weighted'
complete -c llmr -n '__llmr_at \' rank\'' -l no-hedge -l hedge -d 'As chat would: rules may ask, and it outranks theirs'
complete -c llmr -n '__llmr_at \' rank\'' -l system -s s -x -d 'Instructions to the model'
complete -c llmr -n '__llmr_at \' rank\'' -l attach -s a -r -d 'Send a file along: image, PDF, sound, text; `-`: stdin'
complete -c llmr -n '__llmr_at \' rank\'' -l attach -s a -r -F
complete -c llmr -n '__llmr_at \' rank\'' -l no-attach-urls -l attach-urls -d 'Let -a name URLs, which the provider would fetch'
complete -c llmr -n '__llmr_at \' rank\'' -l prompt-file -r -d 'Read the prompt from a file'
complete -c llmr -n '__llmr_at \' rank\'' -l prompt-file -r -F
complete -c llmr -n '__llmr_at \' rank\'' -l template -s t -x -d 'Ask as a template of yours says'
complete -c llmr -n '__llmr_at \' rank\'' -l template -s t -x -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' rank\'' -l parameter -s P -x -d 'Fill a place of the template'
complete -c llmr -n '__llmr_at \' rank\'' -l schema -r -d 'JSON that meets this schema; who cannot is not asked'
complete -c llmr -n '__llmr_at \' rank\'' -l schema -r -F
complete -c llmr -n '__llmr_at \' rank\'' -l max-tokens -x -d 'The longest answer, in tokens'
complete -c llmr -n '__llmr_at \' rank\'' -l no-stream -d 'As chat --no-stream would'
complete -c llmr -n '__llmr_at \' rank\'' -l tag -x -d 'A tag for rules to match, plain or key=value; may be repeated'
complete -c llmr -n '__llmr_at \' rank\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' rank\'' -l verbose -s v -d 'The rules too, and why each matched or not'
complete -c llmr -n '__llmr_at \' rank\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' rank\'' -l config -r -F
complete -c llmr -n '__llmr_at \' explain\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' explain\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' explain\'' -l config -r -F
complete -c llmr -n '__llmr_at \' explain\'' -k -a '(__llmr_names requests)'
complete -c llmr -n '__llmr_at \' simulate\'' -l world -s w -r -d 'A built-in world, or a TOML file of yours (`llmr help worlds`); may be repeated'
complete -c llmr -n '__llmr_at \' simulate\'' -l world -s w -r -F -a 'serve cli outage hang brownout errors rate-storm slowdown flapping majority blackout late-star steady'
complete -c llmr -n '__llmr_at \' simulate\'' -l random -x -d 'So many random worlds, by seed, told as one'
complete -c llmr -n '__llmr_at \' simulate\'' -l seed -x -d 'What chance follows; the same seed, the same run'
complete -c llmr -n '__llmr_at \' simulate\'' -l seeds -x -d 'Several of them, told as one'
complete -c llmr -n '__llmr_at \' simulate\'' -l policy -x -d 'Only this policy; may be repeated'
complete -c llmr -n '__llmr_at \' simulate\'' -l strategy -x -d 'Another strategy than the configured one, for llmr\'s own policies'
complete -c llmr -n '__llmr_at \' simulate\'' -l strategy -x -a 'priority cost latency balanced quality round_robin weighted'
complete -c llmr -n '__llmr_at \' simulate\'' -l list -d 'The built-in worlds and the policies'
complete -c llmr -n '__llmr_at \' simulate\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' simulate\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' simulate\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers\'' -a status -d 'Per model: circuit and time left, first token, success, spend, the story of the last attempts, the last error'
complete -c llmr -n '__llmr_at \' providers\'' -a list -d 'Every provider that is known: where it is, which key it wants, whether it is on'
complete -c llmr -n '__llmr_at \' providers\'' -a reset -d 'Close a provider\'s circuits, free its slots and forget what it told of its limits'
complete -c llmr -n '__llmr_at \' providers\'' -a open -d 'Keep a provider from being asked until `reset` or `close`'
complete -c llmr -n '__llmr_at \' providers\'' -a close -d 'Ask a provider whatever happens, until `reset` or `open`'
complete -c llmr -n '__llmr_at \' providers\'' -a probe -d 'Ask each ready provider for one word, all at once: does it answer, how soon, at what cost'
complete -c llmr -n '__llmr_at \' providers status\'' -l all -s a -d 'Providers that are off too'
complete -c llmr -n '__llmr_at \' providers status\'' -l watch -s w -d 'Keep showing it; q leaves'
complete -c llmr -n '__llmr_at \' providers status\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' providers status\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers status\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers list\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' providers list\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers list\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers reset\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers reset\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers reset\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' providers open\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers open\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers open\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' providers close\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers close\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers close\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' providers probe\'' -l time-out -x -d 'How long anybody is waited for'
complete -c llmr -n '__llmr_at \' providers probe\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' providers probe\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' providers probe\'' -l config -r -F
complete -c llmr -n '__llmr_at \' providers probe\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' stats\'' -l by -x -d 'model, provider, day, or hour (of the day)'
complete -c llmr -n '__llmr_at \' stats\'' -l by -x -a 'model provider day hour'
complete -c llmr -n '__llmr_at \' stats\'' -l since -x -d 'How far to look back: 30m, 12h, 7d, 4w, a date such as 2026-11-01, or all'
complete -c llmr -n '__llmr_at \' stats\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' stats\'' -l html -r -d 'Write a page that needs nothing else'
complete -c llmr -n '__llmr_at \' stats\'' -l html -r -F
complete -c llmr -n '__llmr_at \' stats\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' stats\'' -l config -r -F
complete -c llmr -n '__llmr_at \' cache\'' -a stats -d 'How many answers are kept, how often one was given again, and what that saved'
complete -c llmr -n '__llmr_at \' cache\'' -a purge -d 'Take kept answers away for good, all or old ones: their bytes leave the file'
complete -c llmr -n '__llmr_at \' cache stats\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' cache stats\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' cache stats\'' -l config -r -F
complete -c llmr -n '__llmr_at \' cache purge\'' -l before -x -d 'Those from before 2026-01-31, or 30d, 4w, 12h ago'
complete -c llmr -n '__llmr_at \' cache purge\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' cache purge\'' -l config -r -F
complete -c llmr -n '__llmr_at \' models\'' -a list -d 'Your names first, then every known provider/model-id; chat -m takes both'
complete -c llmr -n '__llmr_at \' models\'' -a refresh -d 'Make your own table from the installed genai-prices and litellm; it stands until llmr ships a younger one'
complete -c llmr -n '__llmr_at \' models\'' -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' models list\'' -l provider -s p -x -d 'Of this provider only'
complete -c llmr -n '__llmr_at \' models list\'' -l provider -s p -x -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' models list\'' -l on -d 'Only what could be asked now'
complete -c llmr -n '__llmr_at \' models list\'' -l takes -x -d 'Only what is known to take this: tools, images, json, reasoning, documents, audio'
complete -c llmr -n '__llmr_at \' models list\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' models list\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' models list\'' -l config -r -F
complete -c llmr -n '__llmr_at \' models list\'' -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' models refresh\'' -l litellm -r -d 'A litellm wheel, or the JSON in it; default: the installed package'
complete -c llmr -n '__llmr_at \' models refresh\'' -l litellm -r -F
complete -c llmr -n '__llmr_at \' keys\'' -a set -d 'Store a key'
complete -c llmr -n '__llmr_at \' keys\'' -a list -d 'Which provider\'s key comes from where'
complete -c llmr -n '__llmr_at \' keys\'' -a rm -d 'Forget a stored key: in the keyring and in credentials.toml'
complete -c llmr -n '__llmr_at \' keys\'' -a import -d 'Take over the keys of another tool'
complete -c llmr -n '__llmr_at \' keys\'' -a test -d 'Ask each provider for its list of models, which is free, and say what it makes of the key'
complete -c llmr -n '__llmr_at \' keys set\'' -l file -d 'Into credentials.toml, although there is a keyring'
complete -c llmr -n '__llmr_at \' keys set\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' keys list\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' keys rm\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' keys import\'' -l replace -d 'Also where a key is stored already'
complete -c llmr -n '__llmr_at \' keys import\'' -l file -d 'Into credentials.toml, although there is a keyring'
complete -c llmr -n '__llmr_at \' keys import\'' -a 'llm'
complete -c llmr -n '__llmr_at \' keys test\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' keys test\'' -a '(__llmr_names providers)'
complete -c llmr -n '__llmr_at \' serve\'' -l host -x -d 'The address to listen on'
complete -c llmr -n '__llmr_at \' serve\'' -l port -x -d 'The port; 0: any free one'
complete -c llmr -n '__llmr_at \' serve\'' -l unix -x -d 'A Unix socket at this path, for you alone, instead of a port'
complete -c llmr -n '__llmr_at \' serve\'' -l workers -x -d 'Processes behind the one port'
complete -c llmr -n '__llmr_at \' serve\'' -l allow-host -x -d 'Another name that clients may call this server by; may be repeated'
complete -c llmr -n '__llmr_at \' serve\'' -l allow-origin -x -d 'A web page\'s origin whose scripts may ask; may be repeated'
complete -c llmr -n '__llmr_at \' serve\'' -l behind-tls -d 'A TLS proxy stands in front: a --host beyond loopback is meant'
complete -c llmr -n '__llmr_at \' serve\'' -l max-body-mb -x -d 'The largest request, in MiB: images are most of it'
complete -c llmr -n '__llmr_at \' serve\'' -l pass -x -d 'A field of chat completions to pass on unread; may be repeated'
complete -c llmr -n '__llmr_at \' serve\'' -l quiet -s q -d 'No line per request on stdout'
complete -c llmr -n '__llmr_at \' serve\'' -l config -r -d 'A routing.toml to use instead of yours; it is trusted'
complete -c llmr -n '__llmr_at \' serve\'' -l config -r -F
complete -c llmr -n '__llmr_at \' config\'' -a path -d 'The files that speak, weakest first'
complete -c llmr -n '__llmr_at \' config\'' -a check -d 'Read everything, strictly; say all that is wrong, where, and what to write instead'
complete -c llmr -n '__llmr_at \' config\'' -a trust -d 'Let a project\'s routing.toml speak as your own, until its content changes'
complete -c llmr -n '__llmr_at \' config\'' -a show -d 'The settings that are in force, all sources laid over each other'
complete -c llmr -n '__llmr_at \' config\'' -a init -d 'Write a routing.toml of your own, commented'
complete -c llmr -n '__llmr_at \' config\'' -a edit -d 'Open your own routing.toml in your editor, and check it before it counts'
complete -c llmr -n '__llmr_at \' config\'' -a schema -d 'The JSON Schema of routing.toml, for your editor\'s completion'
complete -c llmr -n '__llmr_at \' config path\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' config path\'' -l config -r -F
complete -c llmr -n '__llmr_at \' config check\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' config check\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' config check\'' -l config -r -F
complete -c llmr -n '__llmr_at \' config check\'' -F
complete -c llmr -n '__llmr_at \' config trust\'' -l show -d 'Only show what that would change; trust nothing'
complete -c llmr -n '__llmr_at \' config trust\'' -F
complete -c llmr -n '__llmr_at \' config show\'' -l origin -d 'Who says it, and where: file and line, or variable'
complete -c llmr -n '__llmr_at \' config show\'' -l all -s a -d 'What llmr itself ships too'
complete -c llmr -n '__llmr_at \' config show\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' config show\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' config show\'' -l config -r -F
complete -c llmr -n '__llmr_at \' config init\'' -l force -d 'Replace a file that is there; it is kept beside it'
complete -c llmr -n '__llmr_at \' log\'' -a list -d 'The newest conversations, or the turns that match a query, the best first'
complete -c llmr -n '__llmr_at \' log\'' -a show -d 'One conversation, from its first turn to its newest'
complete -c llmr -n '__llmr_at \' log\'' -a export -d 'JSON Lines, one conversation a line, attachments included'
complete -c llmr -n '__llmr_at \' log\'' -a purge -d 'Take conversations away for good: their bytes leave the file, and the copies beside it'
complete -c llmr -n '__llmr_at \' log list\'' -l limit -s n -x -d 'At most so many'
complete -c llmr -n '__llmr_at \' log list\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' log list\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' log list\'' -l config -r -F
complete -c llmr -n '__llmr_at \' log show\'' -l json -d 'One JSON document, all branches'
complete -c llmr -n '__llmr_at \' log show\'' -l markdown -d 'Markdown as it is, on a terminal too'
complete -c llmr -n '__llmr_at \' log show\'' -l all -d 'Every branch, not only the one it stands at'
complete -c llmr -n '__llmr_at \' log show\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' log show\'' -l config -r -F
complete -c llmr -n '__llmr_at \' log show\'' -k -a '(__llmr_names conversations)'
complete -c llmr -n '__llmr_at \' log export\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' log export\'' -l config -r -F
complete -c llmr -n '__llmr_at \' log export\'' -k -a '(__llmr_names conversations)'
complete -c llmr -n '__llmr_at \' log purge\'' -l before -x -d 'Those that ended before 2026-01-31, or 30d, 4w, 12h ago'
complete -c llmr -n '__llmr_at \' log purge\'' -l all -d 'All of them'
complete -c llmr -n '__llmr_at \' log purge\'' -l yes -s y -d 'Do not ask'
complete -c llmr -n '__llmr_at \' log purge\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' log purge\'' -l config -r -F
complete -c llmr -n '__llmr_at \' log purge\'' -k -a '(__llmr_names conversations)'
complete -c llmr -n '__llmr_at \' templates\'' -a list -d 'The templates there are, with their places'
complete -c llmr -n '__llmr_at \' templates\'' -a show -d 'One template, as its file has it'
complete -c llmr -n '__llmr_at \' templates\'' -a save -d 'Make a template, of what is said here or of a conversation'
complete -c llmr -n '__llmr_at \' templates\'' -a edit -d 'Open a template in your editor; it is made if it is not there, and checked when you leave'
complete -c llmr -n '__llmr_at \' templates\'' -a rm -d 'Remove a template'
complete -c llmr -n '__llmr_at \' templates list\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' templates show\'' -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' templates save\'' -l system -s s -x -d 'Its system prompt'
complete -c llmr -n '__llmr_at \' templates save\'' -l model -s m -x -d 'Its model'
complete -c llmr -n '__llmr_at \' templates save\'' -l model -s m -x -a '(__llmr_models)'
complete -c llmr -n '__llmr_at \' templates save\'' -l temperature -x -d 'The provider\'s own scale'
complete -c llmr -n '__llmr_at \' templates save\'' -l max-tokens -x -d 'The longest answer, in tokens'
complete -c llmr -n '__llmr_at \' templates save\'' -l default -s P -x -d 'What a place holds if nobody says'
complete -c llmr -n '__llmr_at \' templates save\'' -l from-conversation -x -d 'Take the first prompt, system and model of this one'
complete -c llmr -n '__llmr_at \' templates save\'' -l replace -d 'Write over one of that name'
complete -c llmr -n '__llmr_at \' templates save\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' templates save\'' -l config -r -F
complete -c llmr -n '__llmr_at \' templates save\'' -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' templates edit\'' -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' templates rm\'' -a '(__llmr_templates)'
complete -c llmr -n '__llmr_at \' doctor\'' -l json -d 'One JSON document'
complete -c llmr -n '__llmr_at \' doctor\'' -l config -r -d 'As chat --config'
complete -c llmr -n '__llmr_at \' doctor\'' -l config -r -F
complete -c llmr -n '__llmr_at \' completion\'' -l install -d 'Write it to where the shell looks for it, instead of to stdout'
complete -c llmr -n '__llmr_at \' completion\'' -a 'bash zsh fish'
complete -c llmr -n '__llmr_at \' help\'' -a 'exit-codes json env worlds'
