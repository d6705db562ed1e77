# Finds the license of one package: the fields of its Cargo.toml, and files that look like licenses.
#
# This job is written in POSIX shell, to show that a job can be any program. It writes license.tsv,
# in which each line has the key `license`, `license-file` or `file` and a value.
set -eu
LC_ALL=C
export LC_ALL
package=${PARTITION#license/}

# stdin has the names of the live partitions for which the job asks, one per line. It needs the manifest.
manifest=
while IFS= read -r name; do
    if [ "$name" = manifest ]; then
        manifest=live
        break
    fi
done
if [ -z "$manifest" ]; then
    echo '{"missed": "manifest"}'
    exit 0
fi
echo '{"read": "manifest"}'
# The digest is taken before the content is read, so that a change in between is detected next time.
"$DATABUILD" job digest "$PARTITION"

if ! [ -f "$DATABUILD_DATA/manifest/dirs/$package" ]; then
    echo "the manifest has no package $package" >&2
    exit 1
fi
IFS= read -r dir < "$DATABUILD_DATA/manifest/dirs/$package"

# Sets $value to the string in a line `key = "string"`, or to nothing if the line has another form.
value_of() {
    value=${1#*=}
    value=${value#"${value%%[![:space:]]*}"}
    case $value in
    \"*) value=${value#\"} value=${value%%\"*} ;;
    \'*) value=${value#\'} value=${value%%\'*} ;;
    *) value= ;;
    esac
}

# Reads license and license-file from the section $2 of the manifest $1; sets inherit if the workspace has them.
read_manifest() {
    section= license= license_file= inherit= workspace=
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line#"${line%%[![:space:]]*}"}
        case $line in
        \[*)
            section=${line%%]*}]
            case $section in
            "[workspace]" | "[workspace."*) workspace=yes ;;
            esac
            ;;
        license.workspace* | license-file.workspace* | license*=*{*workspace*)
            if [ "$section" = "$2" ]; then inherit=yes; fi
            ;;
        license-file*=*)
            if [ "$section" = "$2" ]; then
                value_of "$line"
                license_file=$value
            fi
            ;;
        license*=*)
            if [ "$section" = "$2" ]; then
                value_of "$line"
                license=$value
            fi
            ;;
        esac
    done < "$1"
}

read_manifest "$dir/Cargo.toml" "[package]"
if [ -n "$inherit" ]; then
    up=$dir
    while [ -n "$up" ]; do
        if [ -f "$up/Cargo.toml" ]; then
            read_manifest "$up/Cargo.toml" "[workspace.package]"
            if [ -n "$workspace" ]; then break; fi
        fi
        up=${up%/*}
    done
fi

{
    if [ -n "$license" ]; then printf 'license\t%s\n' "$license"; fi
    if [ -n "$license_file" ]; then printf 'license-file\t%s\n' "$license_file"; fi
    for file in "$dir"/LICEN[SC]E* "$dir"/licen[sc]e* "$dir"/Licen[sc]e* "$dir"/UNLICENSE* "$dir"/COPYING* "$dir"/COPYRIGHT*; do
        if [ -f "$file" ]; then printf 'file\t%s\n' "${file##*/}"; fi
    done
} > license.tsv
