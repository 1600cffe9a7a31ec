--- Completions for shells: argparse's, for commands and options, and on top of
-- them the names of services, which only a supervisor knows.
-- @local

local parser = require "luvisor.cli.parser"

local M = {}

-- Of each command: does it take names of services, and which other words?
local function words_of(command)
  local takes_names, words = false, {}
  for _, row in ipairs(command.args) do
    takes_names = takes_names or row.names == "services"
    local known = row.argument and (row.choices or row.hints) or {}
    for _, word in ipairs(known) do words[#words + 1] = word end
  end
  return takes_names, words
end

local BASH_HEAD <const> = [=[

_luvisor_words() {
    _luvisor
    local cur="${COMP_WORDS[COMP_CWORD]}" i option
    [[ $cur == -* ]] && return
    local -a where=() words=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            %s)
                option="${COMP_WORDS[i]}"
                [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
                ((i + 1 >= COMP_CWORD)) && return
                case "$option" in
                    -c|--config|--socket)
                        where+=("$option" "${COMP_WORDS[i+1]}") ;;
                esac
                ((i++)) ;;
]=]

local BASH_TAIL <const> = [=[
        esac
    done
    [[ ${#words[@]} -gt 0 ]] || return
    if [[ ${words[0]} == --names ]]; then
        words[0]=$("${COMP_WORDS[0]}" completion --names "${where[@]}")
    fi
    COMPREPLY=($(compgen -W "${words[*]}" -- "$cur"))
} 2>/dev/null

complete -F _luvisor_words -o bashdefault -o default luvisor
]=]

-- The options that have an argument, of all commands.
local function value_options(commands)
  local list, seen = {}, {}
  for _, command in ipairs(commands) do
    for _, row in ipairs(command.args) do
      for name in (row.option or ""):gmatch "%S+" do
        if not seen[name] then list[#list + 1] = name end
        seen[name] = true
      end
    end
  end
  return list
end

function M.bash(all, commands)
  local cases = {}
  for _, command in ipairs(commands) do
    local takes_names, words = words_of(command)
    if takes_names then table.insert(words, 1, "--names") end
    if #words > 0 then
      cases[#cases + 1] = ("            %s) words=(%s) ;;\n"):format(
        command.name, table.concat(words, " "))
    end
  end
  local own = all:get_bash_complete():gsub("\ncomplete %-F [^\n]*\n$", "")
  local head = BASH_HEAD:format(table.concat(value_options(commands), "|"))
  return own .. head .. table.concat(cases) .. BASH_TAIL
end

local ZSH_NAMES <const> = [=[

_luvisor_names() {
  local -a names where
  local i
  for ((i = 1; i < CURRENT; i++)); do
    case $words[i] in
      -c|--config|--socket) where+=($words[i] ${(Q)words[i+1]}) ;;
      --config=*|--socket=*) where+=(${(Q)words[i]}) ;;
    esac
  done
  names=(${(f)"$(luvisor completion --names $where 2>/dev/null)"})
  compadd -a names
}
]=]

-- Where argparse knows nothing better than files.
local function with_names(text, command)
  local head = "\n    " .. command.name .. ")\n"
  local first, last = text:find(head, 1, true)
  local stop = text:find("\n      ;;", last, true)
  local section = text:sub(last, stop):gsub('\n( +"%*?: :)_files"',
    '\n%1_luvisor_names"')
  return text:sub(1, first - 1) .. head:sub(1, -2) .. section
    .. text:sub(stop + 1)
end

function M.zsh(all, commands)
  local text = all:get_zsh_complete()
  for _, command in ipairs(commands) do
    if words_of(command) then text = with_names(text, command) end
  end
  return (text:gsub("\n_luvisor\n$", ZSH_NAMES .. "\n_luvisor \"$@\"\n"))
end

local FISH_NAMES <const> = [=[

function __fish_luvisor_names
    set -l words (commandline -opc)
    set -l where
    for i in (seq (count $words))
        switch $words[$i]
            case -c --config --socket
                set -a where $words[$i] $words[(math $i + 1)]
            case '--config=*' '--socket=*'
                set -a where $words[$i]
        end
    end
    luvisor completion --names $where 2>/dev/null
end

]=]

function M.fish(all, commands)
  local lines = { all:get_fish_complete(), FISH_NAMES }
  for _, command in ipairs(commands) do
    local takes_names, words = words_of(command)
    if takes_names then
      table.insert(words, 1, "(__fish_luvisor_names)")
    end
    if #words > 0 then
      lines[#lines + 1] = ("complete -c luvisor -n "
        .. "'__fish_luvisor_seen_command %s' -xa '%s'\n"):format(command.name,
        table.concat(words, " "))
    end
  end
  return table.concat(lines)
end

--- The script for a shell.
-- @tparam string shell "bash", "zsh", "fish"
-- @tparam {table,...} commands
-- @treturn string
function M.script(shell, commands)
  return M[shell](parser.of_all(commands), commands)
end

return M
