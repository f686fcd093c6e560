//! Objects of the standard MIBs, by the names that the RFCs give them.

use snmp::Oid;

macro_rules! objects {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$meta])* pub static $name: Oid = Oid::of($text);)+
    };
}

objects! {
    /// sysDescr.0
    SYS_DESCR = "1.3.6.1.2.1.1.1.0";
    /// sysObjectID.0
    SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0";
    /// sysUpTime.0, hundredths of a second
    SYS_UP_TIME = "1.3.6.1.2.1.1.3.0";
    /// sysContact.0
    SYS_CONTACT = "1.3.6.1.2.1.1.4.0";
    /// sysName.0
    SYS_NAME = "1.3.6.1.2.1.1.5.0";
    /// sysLocation.0
    SYS_LOCATION = "1.3.6.1.2.1.1.6.0";
    /// ifType
    IF_TYPE = "1.3.6.1.2.1.2.2.1.3";
    /// ifPhysAddress
    IF_PHYS_ADDRESS = "1.3.6.1.2.1.2.2.1.6";
    /// hrDeviceType
    HR_DEVICE_TYPE = "1.3.6.1.2.1.25.3.2.1.2";
    /// hrDeviceDescr
    HR_DEVICE_DESCR = "1.3.6.1.2.1.25.3.2.1.3";
    /// hrDeviceStatus
    HR_DEVICE_STATUS = "1.3.6.1.2.1.25.3.2.1.5";
    /// The hrDeviceType of printers
    HR_DEVICE_PRINTER = "1.3.6.1.2.1.25.3.1.5";
    /// hrPrinterStatus
    HR_PRINTER_STATUS = "1.3.6.1.2.1.25.3.5.1.1";
    /// hrPrinterDetectedErrorState
    HR_PRINTER_ERROR_STATE = "1.3.6.1.2.1.25.3.5.1.2";
    /// The Printer-MIB
    PRINTER_MIB = "1.3.6.1.2.1.43";
    /// prtGeneralConfigChanges
    GENERAL_CONFIG_CHANGES = "1.3.6.1.2.1.43.5.1.1.1";
    /// prtGeneralCurrentLocalization
    GENERAL_LOCALIZATION = "1.3.6.1.2.1.43.5.1.1.2";
    /// prtGeneralPrinterName
    GENERAL_PRINTER_NAME = "1.3.6.1.2.1.43.5.1.1.16";
    /// prtGeneralSerialNumber
    GENERAL_SERIAL_NUMBER = "1.3.6.1.2.1.43.5.1.1.17";
    /// prtAlertAllEvents
    ALERT_ALL_EVENTS = "1.3.6.1.2.1.43.5.1.1.19";
    /// prtCoverEntry
    COVER = "1.3.6.1.2.1.43.6.1.1";
    /// prtLocalizationCharacterSet
    LOCALIZATION_CHARSET = "1.3.6.1.2.1.43.7.1.1.4";
    /// prtInputEntry
    INPUT = "1.3.6.1.2.1.43.8.2.1";
    /// prtOutputEntry
    OUTPUT = "1.3.6.1.2.1.43.9.2.1";
    /// prtMarkerEntry
    MARKER = "1.3.6.1.2.1.43.10.2.1";
    /// prtMarkerSuppliesEntry
    SUPPLY = "1.3.6.1.2.1.43.11.1.1";
    /// prtMarkerColorantValue
    COLORANT_VALUE = "1.3.6.1.2.1.43.12.1.1.4";
    /// prtConsoleDisplayBufferText
    CONSOLE_TEXT = "1.3.6.1.2.1.43.16.5.1.2";
    /// prtAlertEntry
    ALERT = "1.3.6.1.2.1.43.18.1.1";
    /// Makers' own objects
    ENTERPRISES = "1.3.6.1.4.1";
    /// finSupplyEntry
    FINISHER_SUPPLY = "1.3.6.1.2.1.43.31.1.1";
    /// snmpEngineID.0
    ENGINE_ID = "1.3.6.1.6.3.10.2.1.1.0";
    /// ppmPrinterIEEE1284DeviceId of the first printer (PWG 5107.1)
    PPM_DEVICE_ID = "1.3.6.1.4.1.2699.1.2.1.2.1.1.3.1";
    /// The device id that print servers of many brands keep in HP's arc
    HP_DEVICE_ID = "1.3.6.1.4.1.11.2.3.9.1.1.7.0";
}
