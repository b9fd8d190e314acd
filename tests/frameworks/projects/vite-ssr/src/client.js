import './style.css'

document.title += ' runs'
