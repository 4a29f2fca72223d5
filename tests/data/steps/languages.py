"""The same sentence in many languages, for tests of what depends on letters."""

from __future__ import annotations

SENTENCES = {
    "en": "All of the files in this folder are read, and whatever cannot be read is set aside with its reason.",
    "de": "Alle Dateien in diesem Ordner werden gelesen, und was nicht zu lesen ist, wird für später zurückgelegt.",
    "fr": "Tous les fichiers de ce dossier sont lus, et ce qui ne peut pas être lu est mis de côté.",
    "es": "Se leen todos los archivos de esta carpeta, y lo que no se puede leer se deja aparte con su razón.",
    "it": "Vengono letti tutti i file di questa cartella, e ciò che non può essere letto viene messo da parte.",
    "pt": "Todos os ficheiros desta pasta são lidos, e o que não pode ser lido é posto de lado com a razão.",
    "nl": "Alle bestanden in deze map worden gelezen, en wat niet gelezen kan worden, wordt apart gelegd.",
    "pl": "Wszystkie pliki w tym katalogu są czytane, a to, czego nie można przeczytać, jest odkładane na bok.",
    "tr": "Bu klasördeki bütün dosyalar okunur, okunamayanlar ise nedeniyle birlikte bir kenara konur.",
    "ru": "Все файлы в этой папке читаются, а то, что нельзя прочитать, откладывается с указанием причины.",
    "uk": "Усі файли в цій теці читаються, а те, що не можна прочитати, відкладається із зазначенням причини.",
    "el": "Όλα τα αρχεία αυτού του φακέλου διαβάζονται, και ό,τι δεν μπορεί να διαβαστεί παραμερίζεται.",
    "ja": "このフォルダーにあるすべてのファイルを読み、読めないものは理由とともに脇に置きます。",
    "zh": "读取此文件夹中的所有文件，无法读取的文件连同原因一起放在一边。",
    "ko": "이 폴더의 모든 파일을 읽고, 읽을 수 없는 것은 이유와 함께 따로 둡니다.",
    "ar": "تُقرأ جميع الملفات في هذا المجلد، وما لا يمكن قراءته يوضع جانبا مع ذكر السبب.",
    "he": "כל הקבצים בתיקייה הזאת נקראים, ומה שאי אפשר לקרוא מונח בצד עם הסיבה.",
    "hi": "इस फ़ोल्डर की सभी फ़ाइलें पढ़ी जाती हैं, और जो पढ़ी नहीं जा सकतीं उन्हें कारण सहित अलग रख दिया जाता है।",
    "th": "ไฟล์ทั้งหมดในโฟลเดอร์นี้จะถูกอ่าน และสิ่งที่อ่านไม่ได้จะถูกแยกไว้พร้อมเหตุผล",
}
