//! The classes of personal data that are told apart.

/// Declares the classes with the names that configuration, API and documentation give them.
macro_rules! classes {
    ($($class:ident $id:literal $what:literal,)+) => {
        /// What a column, or a part of a document, holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class {
            $(#[doc = $what] $class,)+
        }

        impl Class {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$class),+];

            /// Its name.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$class => $id),+ }
            }

            /// What it is, in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$class => $what),+ }
            }
        }
    };
}

classes! {
    Email "email" "Email address",
    Phone "phone" "Telephone number",
    CreditCard "credit_card" "Number of a payment card",
    Iban "iban" "International bank account number",
    Ssn "ssn" "Social security number of the United States",
    NationalId "national_id" "Number by which a state or tax office knows a person",
    Passport "passport" "Passport number",
    DriverLicence "driver_licence" "Driver licence number",
    LicencePlate "licence_plate" "Licence plate of a vehicle",
    DateOfBirth "date_of_birth" "Date of birth",
    GivenName "given_name" "Given name",
    FamilyName "family_name" "Family name",
    FullName "full_name" "Name of a person",
    Username "username" "Name that a person signs in with",
    Address "address" "Postal address, or street",
    Postcode "postcode" "Postcode",
    City "city" "City or town",
    IpAddress "ip_address" "IP address",
    MacAddress "mac_address" "Hardware address",
    Url "url" "URL with personal data in it",
    Geo "geo" "Coordinates on Earth",
    Imei "imei" "Number of a mobile device",
    Vin "vin" "Identification number of a vehicle",
    CryptoWallet "crypto_wallet" "Address of a crypto currency",
    BankAccount "bank_account" "Bank account number",
    RoutingNumber "routing_number" "Number of a bank",
    Bic "bic" "BIC of a bank",
    Jwt "jwt" "JSON Web Token",
    ApiKey "api_key" "API key or token",
    PrivateKey "private_key" "Private key",
    Password "password" "Password",
    PasswordHash "password_hash" "Digest of a password",
    MedicalRecord "medical_record" "Number of a patient, or of a medical record",
    Health "health" "Diagnosis, blood group or the like",
    Gender "gender" "Gender",
    Ethnicity "ethnicity" "Ethnicity",
    Religion "religion" "Religion",
    Salary "salary" "Income",
    FreeText "free_text" "Text with personal data in it",
}

impl std::str::FromStr for Class {
    type Err = ();

    fn from_str(id: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|class| class.id() == id).ok_or(())
    }
}

impl Class {
    /// Whether it is the name of a person, or a part of one.
    #[must_use]
    pub const fn is_name(self) -> bool {
        matches!(self, Self::GivenName | Self::FamilyName | Self::FullName)
    }
}
