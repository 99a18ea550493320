# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of vireo's command line; printed by `vireo -completion bash`.

_vireo_options() {
    printf '%s\n' \
        -smp -m -name -cpu -accel -enable-kvm -boot -bios -kernel -initrd \
        -append -netdev -net -nic -drive -cdrom -device -object -serial \
        -debugcon -chardev -nographic -display -nodefaults -qmp -mon -monitor \
        -S -no-reboot -no-shutdown -pidfile -help -version -completion
}

_vireo_style() { # OPTION: what its argument is; nothing: it has none
    case $1 in
    -cpu | -accel | -bios | -kernel | -initrd | -append | -cdrom | -serial | \
        -debugcon | -display | -qmp | -monitor | -pidfile | -completion) echo whole ;;
    -smp | -m | -name | -boot | -netdev | -net | -nic | -drive | -device | -object | \
        -chardev | -mon) echo pairs ;;
    esac
}

_vireo_forms() { # OPTION
    case $1 in
    -netdev) echo 'tap' ;;
    -net) echo 'nic tap none' ;;
    -nic) echo 'tap none' ;;
    -device) echo 'virtio-net-pci e1000 rtl8139 rtl8139c virtio-blk-pci virtio-rng-pci
        virtio-serial-pci virtconsole virtserialport' ;;
    -object) echo 'rng-random iothread' ;;
    -chardev) echo 'stdio socket pty file null' ;;
    esac
}

_vireo_keys() { # OPTION FORM
    case "$1 $2" in
    '-smp ') echo 'cpus=' ;;
    '-m ') echo 'size= hugetlb=' ;;
    '-name ') echo 'guest=' ;;
    '-boot ') echo 'order=' ;;
    '-netdev tap') echo 'id= ifname= fd= fds= create= br= macvtap= script= downscript= vnet_hdr=
        vhost= vhostdev= vhostfd= vhostfds= queues= iothread=' ;;
    '-net nic') echo 'model= macaddr= name= netdev=' ;;
    '-net tap') echo 'ifname= fd= fds= create= br= macvtap= script= downscript= vnet_hdr= vhost=
        vhostdev= vhostfd= vhostfds= queues= iothread=' ;;
    '-nic tap') echo 'model= mac= id= ifname= fd= fds= create= br= macvtap= script= downscript=
        vnet_hdr= vhost= vhostdev= vhostfd= vhostfds= queues= iothread=' ;;
    '-drive ') echo 'file= if= media= index= id= format= cache= aio= readonly= discard= serial=
        vhost= vhostdev=' ;;
    '-device virtio-net-pci') echo 'id= netdev= mac= mq= host_mtu= queue_size= mrg_rxbuf=
        ctrl_vq= csum= guest_csum= host_tso4= host_tso6= host_ufo= host_uso= guest_tso4=
        guest_tso6= guest_ufo= guest_uso4= guest_uso6= packed= event_idx= indirect_desc=
        disable-legacy= disable-modern= vectors=' ;;
    '-device e1000') echo 'id= netdev= mac=' ;;
    '-device rtl8139') echo 'id= netdev= mac=' ;;
    '-device rtl8139c') echo 'id= netdev= mac=' ;;
    '-device virtio-blk-pci') echo 'id= drive= serial= num-queues= queue-size=
        logical_block_size= iothread= packed= event_idx= indirect_desc= disable-legacy=
        disable-modern= vectors=' ;;
    '-device virtio-rng-pci') echo 'id= rng= packed= event_idx= indirect_desc= disable-legacy=
        disable-modern= vectors=' ;;
    '-device virtio-serial-pci') echo 'id= max_ports= packed= event_idx= indirect_desc=
        disable-legacy= disable-modern= vectors=' ;;
    '-device virtconsole') echo 'id= chardev= bus=' ;;
    '-device virtserialport') echo 'id= chardev= name= bus=' ;;
    '-object rng-random') echo 'id= filename=' ;;
    '-object iothread') echo 'id=' ;;
    '-chardev stdio') echo 'id= mux=' ;;
    '-chardev socket') echo 'id= fd= path= server= wait=' ;;
    '-chardev pty') echo 'id=' ;;
    '-chardev file') echo 'id= path=' ;;
    '-chardev null') echo 'id=' ;;
    '-mon ') echo 'chardev= mode=' ;;
    esac
}

_vireo_values() { # OPTION FORM KEY
    case "$1 $2 $3" in
    '-m  hugetlb') echo 'on off' ;;
    '-cpu  ') echo 'host' ;;
    '-accel  ') echo 'kvm' ;;
    '-boot  order') echo 'c d n cd dc cdn' ;;
    '-bios  ') echo '@file' ;;
    '-kernel  ') echo '@file' ;;
    '-initrd  ') echo '@file' ;;
    '-netdev tap create') echo 'on off' ;;
    '-netdev tap script') echo '@file' ;;
    '-netdev tap downscript') echo '@file' ;;
    '-netdev tap vnet_hdr') echo 'on off' ;;
    '-netdev tap vhost') echo 'off on try' ;;
    '-netdev tap vhostdev') echo '@file' ;;
    '-net nic model') echo 'virtio-net-pci virtio e1000 rtl8139 rtl8139c' ;;
    '-net tap create') echo 'on off' ;;
    '-net tap script') echo '@file' ;;
    '-net tap downscript') echo '@file' ;;
    '-net tap vnet_hdr') echo 'on off' ;;
    '-net tap vhost') echo 'off on try' ;;
    '-net tap vhostdev') echo '@file' ;;
    '-nic tap model') echo 'virtio-net-pci virtio e1000 rtl8139 rtl8139c' ;;
    '-nic tap create') echo 'on off' ;;
    '-nic tap script') echo '@file' ;;
    '-nic tap downscript') echo '@file' ;;
    '-nic tap vnet_hdr') echo 'on off' ;;
    '-nic tap vhost') echo 'off on try' ;;
    '-nic tap vhostdev') echo '@file' ;;
    '-drive  file') echo '@file' ;;
    '-drive  if') echo 'virtio ide none' ;;
    '-drive  media') echo 'disk cdrom' ;;
    '-drive  format') echo 'raw qcow2' ;;
    '-drive  cache') echo 'writeback none' ;;
    '-drive  aio') echo 'io_uring threads' ;;
    '-drive  readonly') echo 'on off' ;;
    '-drive  discard') echo 'ignore unmap' ;;
    '-drive  vhost') echo 'off on try' ;;
    '-drive  vhostdev') echo '@file' ;;
    '-cdrom  ') echo '@file' ;;
    '-device virtio-net-pci mq') echo 'on off' ;;
    '-device virtio-net-pci queue_size') echo '64 128 256 512 1024' ;;
    '-device virtio-net-pci mrg_rxbuf') echo 'on off' ;;
    '-device virtio-net-pci ctrl_vq') echo 'on off' ;;
    '-device virtio-net-pci csum') echo 'on off' ;;
    '-device virtio-net-pci guest_csum') echo 'on off' ;;
    '-device virtio-net-pci host_tso4') echo 'on off' ;;
    '-device virtio-net-pci host_tso6') echo 'on off' ;;
    '-device virtio-net-pci host_ufo') echo 'on off' ;;
    '-device virtio-net-pci host_uso') echo 'on off' ;;
    '-device virtio-net-pci guest_tso4') echo 'on off' ;;
    '-device virtio-net-pci guest_tso6') echo 'on off' ;;
    '-device virtio-net-pci guest_ufo') echo 'on off' ;;
    '-device virtio-net-pci guest_uso4') echo 'on off' ;;
    '-device virtio-net-pci guest_uso6') echo 'on off' ;;
    '-device virtio-net-pci packed') echo 'on off' ;;
    '-device virtio-net-pci event_idx') echo 'on off' ;;
    '-device virtio-net-pci indirect_desc') echo 'on off' ;;
    '-device virtio-net-pci disable-legacy') echo 'on off' ;;
    '-device virtio-net-pci disable-modern') echo 'on off' ;;
    '-device virtio-blk-pci queue-size') echo '64 128 256 512 1024' ;;
    '-device virtio-blk-pci logical_block_size') echo '512 1024 2048 4096' ;;
    '-device virtio-blk-pci packed') echo 'on off' ;;
    '-device virtio-blk-pci event_idx') echo 'on off' ;;
    '-device virtio-blk-pci indirect_desc') echo 'on off' ;;
    '-device virtio-blk-pci disable-legacy') echo 'on off' ;;
    '-device virtio-blk-pci disable-modern') echo 'on off' ;;
    '-device virtio-rng-pci packed') echo 'on off' ;;
    '-device virtio-rng-pci event_idx') echo 'on off' ;;
    '-device virtio-rng-pci indirect_desc') echo 'on off' ;;
    '-device virtio-rng-pci disable-legacy') echo 'on off' ;;
    '-device virtio-rng-pci disable-modern') echo 'on off' ;;
    '-device virtio-serial-pci packed') echo 'on off' ;;
    '-device virtio-serial-pci event_idx') echo 'on off' ;;
    '-device virtio-serial-pci indirect_desc') echo 'on off' ;;
    '-device virtio-serial-pci disable-legacy') echo 'on off' ;;
    '-device virtio-serial-pci disable-modern') echo 'on off' ;;
    '-object rng-random filename') echo '@file' ;;
    '-serial  ') echo 'stdio mon:stdio pty null none file: unix: chardev:' ;;
    '-debugcon  ') echo 'stdio mon:stdio pty null none file: unix: chardev:' ;;
    '-chardev stdio mux') echo 'on off' ;;
    '-chardev socket path') echo '@file' ;;
    '-chardev socket server') echo 'on off' ;;
    '-chardev socket wait') echo 'on off' ;;
    '-chardev file path') echo '@file' ;;
    '-display  ') echo 'none' ;;
    '-qmp  ') echo 'unix: none' ;;
    '-mon  mode') echo 'control' ;;
    '-monitor  ') echo 'none' ;;
    '-pidfile  ') echo '@file' ;;
    '-completion  ') echo 'bash' ;;
    esac
}

_vireo_candidates() { # OPTION WORD: whole words that may stand there, one a line
    local option=$1 word=$2 form='' head key words
    if [[ $(_vireo_style "$option") == whole ]]; then
        head=
        words=$(_vireo_values "$option" '' '')
    else
        words=$(_vireo_forms "$option")
        if [[ -n $words && $word != *,* ]]; then
            head=
        else
            [[ -n $words ]] && form=${word%%,*}
            head=
            [[ $word == *,* ]] && head=${word%,*},
            key=${word##*,}
            if [[ $key == *=* ]]; then
                key=${key%%=*}
                head+=$key=
                words=$(_vireo_values "$option" "$form" "$key")
            else
                words=$(_vireo_keys "$option" "$form")
            fi
        fi
    fi
    for key in $words; do
        if [[ $key == @file ]]; then
            compgen -P "$head" -f -- "${word#"$head"}"
        else
            printf '%s%s\n' "$head" "$key"
        fi
    done
}

_vireo() {
    local line=${COMP_LINE:0:COMP_POINT} words word option candidate kept=
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    word=${words[-1]}
    option=
    ((${#words[@]} > 1)) && option=${words[-2]/#--/-}
    # Readline takes a word to begin behind '=' and ':'.
    [[ $COMP_WORDBREAKS == *=* ]] && kept=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while read -r candidate; do
        [[ $word == --* ]] && candidate=-$candidate
        if [[ -n $candidate && $candidate == "$word"* ]]; then
            COMPREPLY+=("${candidate#"$kept"}")
        fi
    done < <(if [[ -n $(_vireo_style "$option") ]]; then
        _vireo_candidates "$option" "$word"
    else
        _vireo_options
    fi)
    # A comma or a value may follow.
    if [[ $word == *,* || ${COMPREPLY[0]-} == *[=:] ]] || [[ -n $(_vireo_forms "$option") ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -F _vireo vireo
