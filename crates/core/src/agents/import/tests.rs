//! Each form of list, its faults, and what it would do to a plan.

use wire::AgentPlan;
use wire::plan::Target;

use super::*;

fn read_as(text: &str) -> Imported {
    read(text.as_bytes(), None).unwrap()
}

/// Host, name, site, asset, MAC and label of each place, `-` for what is not told.
fn places(list: &Imported) -> Vec<String> {
    let told = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let line = |entry: &Entry| {
        let Target { host, name, site, asset, mac } = &entry.target;
        let words = [name, site, asset, mac, &entry.label].map(told).join("|");
        format!("{} {host}|{words}", entry.line)
    };
    list.entries.iter().map(line).collect()
}

fn faults(list: &Imported) -> Vec<(usize, &str)> {
    list.faults.iter().map(|fault| (fault.line, fault.advice.as_str())).collect()
}

#[test]
fn a_table_is_read_with_and_without_a_heading() {
    let plain = read_as("10.0.0.7,Reception,Ground floor,A-17\n\nprinter-8.example.org\n");
    assert_eq!(plain.format, Format::Csv);
    assert_eq!(places(&plain), ["1 10.0.0.7|Reception|Ground floor|A-17|-|-", "3 printer-8.example.org|-|-|-|-|-"]);
    let named = "\u{feff}Asset No;IP Address;Standort;MAC\r\nA-17;10.0.0.7;\"Haus 2; Flur\";00-26-73-AA-BB-CC\r\n";
    assert_eq!(places(&read_as(named)), ["2 10.0.0.7|-|Haus 2; Flur|A-17|00:26:73:aa:bb:cc|-"]);
    let quoted = read_as("# ours\n\naddress,name\n\n10.0.0.7,\"Reception,\nleft\"\n10.0.0.8,x\n");
    assert_eq!(places(&quoted), ["5 10.0.0.7|Reception,left|-|-|-|-", "7 10.0.0.8|x|-|-|-|-"]);
    let v6 = read_as("address,name\n2001:DB8::7,Six\n[2001:db8::8]:1161,Other\n");
    assert_eq!(places(&v6), ["2 2001:db8::7|Six|-|-|-|-", "3 [2001:db8::8]:1161|Other|-|-|-|-"]);
}

#[test]
fn every_fault_of_a_table_names_its_line_and_what_to_write() {
    let text =
        "address,name,mac\n10.0.0.999,x\n,nobody\n10.0.0.7,a,\n10.0.0.7:161,b\n10.0.0.8,c,zz\nfe80::1,d\n10.0.0.9,ok\n";
    let list = read_as(text);
    assert_eq!(places(&list).len(), 2);
    assert_eq!(
        faults(&list),
        [
            (2, "`10.0.0.999` is neither an address nor a host name"),
            (3, "the line has no address; give one, or take the line out"),
            (5, "line 4 names this place already; take one of them out"),
            (6, "this is no MAC address; write 00:26:73:aa:bb:cc, or leave it empty"),
            (7, "`fe80::1` holds on one link alone; give the device's other address"),
        ]
    );
    assert_eq!(faults(&read_as("name,site\nx,y\n")), [(1, "no column is called address or host; name one so")]);
}

#[test]
fn neighbour_tables_are_read_as_every_program_prints_them() {
    let expected = ["10.0.0.5|-|-|-|00:26:73:aa:0b:0c"];
    for text in [
        "10.0.0.5 dev eth0 lladdr 00:26:73:aa:0b:0c REACHABLE\n10.0.0.6 dev eth0  FAILED\n10.0.0.8 dev eth0 INCOMPLETE\n",
        "? (10.0.0.5) at 00:26:73:aa:0b:0c [ether] on eth0\n? (10.0.0.6) at <incomplete> on eth0\n? (10.0.0.8) at (incomplete) on en0\n",
        "? (10.0.0.5) at 0:26:73:aa:b:c on en0 ifscope [ethernet]\n? (224.0.0.251) at 1:0:5e:0:0:fb on en0\n? (10.0.0.255) at ff:ff:ff:ff:ff:ff on en0\n",
        "Address HWtype HWaddress Flags Mask Iface\n10.0.0.5 ether 00:26:73:aa:0b:0c C eth0\n10.0.0.6 (incomplete) eth0\n10.0.0.8 (incomplete) eth0\n",
        "IP address       HW type     Flags       HW address            Mask     Device\n\
         10.0.0.5         0x1         0x2         00:26:73:aa:0b:0c     *        eth0\n\
         10.0.0.6         0x1         0x0         00:00:00:00:00:00     *        eth0\n\
         10.0.0.8         0x1         0x0         00:00:00:00:00:00     *        eth0\n",
        "\nInterface: 10.0.0.2 --- 0x5\n  Internet Address      Physical Address      Type\n\
         \x20 10.0.0.5              00-26-73-aa-0b-0c     dynamic\n  10.0.0.255            ff-ff-ff-ff-ff-ff     static\n",
        "\nInterface 12: Ethernet\n\nInternet Address          Physical Address   Type\n\
         ------------------------  -----------------  -----------\n\
         10.0.0.5                  00-26-73-aa-0b-0c  Reachable\n\
         10.0.0.6                  00-00-00-00-00-00  Unreachable\n\
         224.0.0.22                01-00-5e-00-00-16  Permanent\n",
        "ifIndex IPAddress    LinkLayerAddress      State       PolicyStore\n\
         ------- ---------    ----------------      -----       -----------\n\
         12      10.0.0.5     00-26-73-AA-0B-0C     Stale       ActiveStore\n\
         12      10.0.0.6     00-00-00-00-00-00     Unreachable ActiveStore\n\
         12      fe80::5      00-26-73-AA-0B-0C     Reachable   ActiveStore\n",
        "10.0.0.5     - 255.255.255.0  - 00-26-73-aa-0b-0c   -1/2/2026 10:00:00 AM    -D\n10.0.0.6 - 255.255.255.0 - \n10.0.0.8 - -\n",
    ] {
        let list = read_as(text);
        assert_eq!(list.format, Format::Neighbours, "{text}");
        let found: Vec<String> =
            places(&list).iter().map(|place| place.split(' ').nth(1).unwrap().to_owned()).collect();
        let found: Vec<&str> = found.iter().map(|place| place.trim_end_matches("|-")).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!((list.passed_over, list.fault_count), (2, 0), "{text}");
    }
    let named = read_as(
        "printer-5.example.org (10.0.0.5) at 00:26:73:aa:0b:0c [ether] on eth0\n? (10.0.0) at 00:26:73:aa:0b:0d on eth0\n",
    );
    assert_eq!(places(&named), ["1 10.0.0.5|-|-|-|00:26:73:aa:0b:0c|printer-5.example.org"]);
    assert_eq!(faults(&named), [(2, "the line has no whole address; copy the table again")]);
}

#[test]
fn the_last_word_of_an_isc_lease_file_counts() {
    let text = "# The format of this file is documented in dhcpd.leases(5)\nauthoring-byte-order little-endian;\n\n\
        lease 10.0.0.5 {\n  starts 4 2026/01/01 10:00:00;\n  binding state active;\n  next binding state free;\n\
        \x20 hardware ethernet 00:26:73:aa:bb:cc;\n  client-hostname \"printer-5\";\n}\n\
        lease 10.0.0.6 {\n  binding state active;\n  hardware ethernet 00:17:c8:00:00:06;\n}\n\
        lease 10.0.0.6 {\n  binding state free;\n  hardware ethernet 00:17:c8:00:00:06;\n}\n\
        host kyocera {\n  hardware ethernet 00:17:c8:00:00:07;\n  fixed-address 10.0.0.7;\n}\n\
        lease 10.0.0.999 {\n  binding state active;\n}\nlease 10.0.0.8 {\n  binding state active;\n";
    let list = read_as(text);
    assert_eq!(list.format, Format::Isc);
    assert_eq!(
        places(&list),
        ["4 10.0.0.5|-|-|-|00:26:73:aa:bb:cc|printer-5", "19 10.0.0.7|-|-|-|00:17:c8:00:00:07|kyocera"]
    );
    assert_eq!(list.passed_over, 1);
    assert_eq!(list.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [23, 26]);
}

#[test]
fn leases_of_ipv6_tell_the_card_of_their_client() {
    let text = "authoring-byte-order little-endian;\n\nserver-duid \"\\000\\001\\000\\001\";\n\n\
        ia-na \"\\001\\000\\000\\000\\000\\001\\000\\0013\\023ED\\000&s\\252\\273\\314\" {\n  cltt 4 2026/01/01 10:00:00;\n\
        \x20 iaaddr 2001:db8::5 {\n    binding state active;\n    max-life 600;\n  }\n}\n\n\
        ia-na \"\\002\\000\\000\\000\\000\\003\\000\\001\\000\\027\\310\\000\\000\\007\" {\n\
        \x20 iaaddr 2001:db8::7 {\n    binding state active;\n  }\n  iaaddr 2001:db8::6 {\n    binding state expired;\n  }\n}\n\n\
        ia-na \"\\003\\000\\000\\000\\000\\004abc\" {\n  iaaddr 2001:db8::8 {\n    binding state active;\n  }\n}\n\
        ia-pd \"\\001\" {\n  iaprefix 2001:db8:1::/56 {\n    binding state active;\n  }\n}\n\
        host six {\n  fixed-address6 2001:db8::9;\n}\n";
    let list = read_as(text);
    assert_eq!((list.format, list.fault_count, list.passed_over), (Format::Isc, 0, 1), "{:?}", list.faults);
    let found = places(&list);
    let found: Vec<&str> = found.iter().map(|place| place.split_once(' ').unwrap().1).collect();
    assert_eq!(
        found,
        [
            "2001:db8::5|-|-|-|00:26:73:aa:bb:cc|-",
            "2001:db8::7|-|-|-|00:17:c8:00:00:07|-",
            "2001:db8::8|-|-|-|-|-",
            "2001:db8::9|-|-|-|-|six",
        ]
    );
}

#[test]
fn leases_of_kea_dnsmasq_and_windows_are_read() {
    let kea = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n\
        10.0.0.5,00:26:73:aa:bb:cc,,3600,1800000000,1,0,0,printer-5.,0,,0\n10.0.0.6,00:17:c8:00:00:06,,3600,1800000000,1,0,0,,0,,0\n\
        10.0.0.6,00:17:c8:00:00:06,,3600,1800000000,1,0,0,,2,,0\n";
    let list = read_as(kea);
    assert_eq!((list.format, list.passed_over), (Format::Kea, 1));
    assert_eq!(places(&list), ["2 10.0.0.5|-|-|-|00:26:73:aa:bb:cc|printer-5."]);
    let dnsmasq = "1800000000 00:26:73:aa:bb:cc 10.0.0.5 printer-5 01:00:26:73:aa:bb:cc\n1800000000 06-00:17:c8:00:00:06 10.0.0.6 * *\n\
        duid 00:01:00:01\n1800000000 12345 2001:db8::5 six 00:01\nbroken line\n";
    let list = read_as(dnsmasq);
    assert_eq!(list.format, Format::Dnsmasq);
    assert_eq!(
        places(&list),
        [
            "1 10.0.0.5|-|-|-|00:26:73:aa:bb:cc|printer-5",
            "2 10.0.0.6|-|-|-|00:17:c8:00:00:06|-",
            "4 2001:db8::5|-|-|-|-|six"
        ]
    );
    assert_eq!(faults(&list)[0].0, 5);
    let windows = "#TYPE Microsoft.Management.Infrastructure.CimInstance\r\n\"IPAddress\",\"ScopeId\",\"AddressState\",\"ClientId\",\"HostName\"\r\n\
        \"10.0.0.5\",\"10.0.0.0\",\"Active\",\"00-26-73-aa-bb-cc\",\"printer-5\"\r\n\"10.0.0.6\",\"10.0.0.0\",\"Expired\",\"00-26-73-aa-bb-cd\",\"x\"\r\n";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(windows.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let list = read(&utf16, None).unwrap();
    assert_eq!((list.format, list.passed_over), (Format::Windows, 1));
    assert_eq!(places(&list), ["3 10.0.0.5|-|-|-|00:26:73:aa:bb:cc|printer-5"]);
}

#[test]
fn a_list_is_bounded_and_no_bytes_break_it() {
    assert!(read(&vec![b'x'; MAX_BYTES + 1], None).is_err());
    assert!(read(&[0, 1, 2, 3], None).is_err());
    let many: String = (0..300).map(|n| format!("10.0.0.{}\n", 300 + n)).collect();
    let list = read_as(&many);
    assert_eq!((list.fault_count, list.faults.len()), (300, MAX_FAULTS));
    assert_eq!(read_as("").entries.len(), 0);
    let mut seed = 7_u64;
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..60)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"10.:,;-{}\"\n\t #lease hardware ethernet at dev 0x/[]abcf"[(seed >> 33) as usize % 53]
            })
            .collect();
        for format in [None].into_iter().chain(Format::ALL.map(Some)) {
            drop(read(&bytes, format));
        }
    }
}

#[test]
fn a_preview_says_what_becomes_of_each_place() {
    let plan = AgentPlan {
        ranges: vec!["10.0.0.0/24".to_owned()],
        exclude: vec!["10.0.0.6".to_owned(), "00:17:c8".to_owned()],
        targets: vec![
            Target { host: "10.0.0.7".to_owned(), name: Some("Old".to_owned()), ..Target::default() },
            Target { host: "10.0.0.8".to_owned(), asset: Some("A-8".to_owned()), ..Target::default() },
        ],
        ..AgentPlan::default()
    };
    let text = "address,name,mac\n10.1.0.5,Far,\n10.0.0.6,no,\n10.0.0.7,New,\n10.0.0.8,,\n10.0.0.9,,00:17:c8:00:00:09\n10.0.0.10,Ricoh,00:26:73:00:00:0a\n";
    let (preview, targets) = merge(read_as(text), &plan);
    let fates: Vec<_> =
        preview.lines.iter().map(|line| (line.target.host.as_str(), line.fate, line.in_range)).collect();
    assert_eq!(
        fates,
        [
            ("10.0.0.9", Fate::Forbidden, true),
            ("10.0.0.10", Fate::New, true),
            ("10.1.0.5", Fate::New, false),
            ("10.0.0.6", Fate::Forbidden, true),
            ("10.0.0.7", Fate::Changed, true),
            ("10.0.0.8", Fate::Known, true),
        ]
    );
    assert_eq!((preview.new, preview.changed, preview.known, preview.forbidden), (2, 1, 1, 2));
    assert_eq!(preview.lines[1].maker, Some("ricoh"));
    let hosts: Vec<_> = targets.iter().map(|target| (target.host.as_str(), target.name.as_deref())).collect();
    assert_eq!(
        hosts,
        [("10.0.0.7", Some("New")), ("10.0.0.8", None), ("10.1.0.5", Some("Far")), ("10.0.0.10", Some("Ricoh"))]
    );
    assert_eq!(targets[1].asset.as_deref(), Some("A-8"), "what a list leaves open stays");
    let (again, same) = merge(read_as(text), &AgentPlan { targets: targets.clone(), ..plan });
    assert_eq!((again.new, again.changed, again.known, same), (0, 0, 4, targets));
}
