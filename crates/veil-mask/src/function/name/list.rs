//! Common given and family names of several cultures, in ASCII so that every text type and address holds them.

#[rustfmt::skip]
pub(super) const GIVEN: &[&str] = &[
    "Adam", "Adriana", "Agnes", "Ahmet", "Aiko", "Alan", "Alice", "Amara", "Amina", "Ana",
    "Andrei", "Anita", "Anna", "Anton", "Arjun", "Astrid", "Ayesha", "Beatriz", "Benoit", "Bianca",
    "Bruno", "Camille", "Carla", "Carlos", "Chidi", "Chiara", "Clara", "Daniel", "Darius", "Diana",
    "Diego", "Dmitri", "Elena", "Elias", "Elif", "Elise", "Emil", "Emma", "Erik", "Esther",
    "Eva", "Farid", "Fatima", "Felix", "Fiona", "Frida", "Gabriel", "Gita", "Goran", "Grace",
    "Hana", "Hannah", "Hassan", "Helena", "Henrik", "Hiro", "Hugo", "Ines", "Ingrid", "Irina",
    "Isabel", "Ivan", "Jakub", "Jana", "Javier", "Jin", "Joana", "Jonas", "Julia", "Kavya",
    "Karim", "Karin", "Kateryna", "Kenji", "Kofi", "Lars", "Laura", "Layla", "Lena", "Leon",
    "Lin", "Lucia", "Luis", "Magda", "Malik", "Marco", "Maria", "Marta", "Mateo", "Mei",
    "Milan", "Mina", "Miriam", "Nadia", "Naomi", "Nikola", "Nina", "Noah", "Nora", "Olga",
    "Oscar", "Paula", "Pavel", "Petra", "Priya", "Rafael", "Rania", "Ravi", "Rosa", "Samir",
    "Sara", "Sofia", "Stefan", "Sunita", "Tariq", "Teresa", "Tomas", "Vera", "Victor", "Yara",
    "Yuki", "Zofia",
];

#[rustfmt::skip]
pub(super) const FAMILY: &[&str] = &[
    "Abara", "Adeyemi", "Ahmadi", "Alvarez", "Andersen", "Arslan", "Bakker", "Banerjee", "Barros", "Bauer",
    "Becker", "Bennett", "Berg", "Bianchi", "Blanc", "Boateng", "Bondar", "Brandt", "Brooks", "Cabral",
    "Campos", "Carvalho", "Castillo", "Chandra", "Chen", "Choi", "Conti", "Cooper", "Costa", "Dahl",
    "Demir", "Desai", "Diallo", "Dubois", "Duran", "Dvorak", "Eriksen", "Esposito", "Farah", "Faure",
    "Ferrari", "Fischer", "Fontaine", "Fujita", "Garcia", "Gomes", "Greco", "Gupta", "Haddad", "Hansen",
    "Hartmann", "Hayes", "Herrera", "Hoffmann", "Horvat", "Hughes", "Ibrahim", "Ito", "Ivanov", "Jansen",
    "Jensen", "Joshi", "Kaminski", "Kaplan", "Kato", "Kaya", "Keller", "Khalil", "Kim", "Kovacs",
    "Kowalski", "Kruger", "Kumar", "Lambert", "Larsen", "Lindgren", "Lopez", "Lund", "Marino", "Marques",
    "Martin", "Medina", "Mehta", "Mensah", "Meyer", "Molina", "Moreau", "Moreno", "Mori", "Murphy",
    "Nair", "Nakamura", "Navarro", "Nguyen", "Nielsen", "Novak", "Nowak", "Okafor", "Oliveira", "Osei",
    "Park", "Patel", "Pereira", "Petrov", "Popescu", "Quinn", "Ramos", "Reyes", "Ricci", "Rossi",
    "Saito", "Santos", "Schmitt", "Silva", "Simon", "Svensson", "Tanaka", "Tran", "Vargas", "Virtanen",
    "Weber", "Wong", "Yilmaz", "Zielinski",
];
